"""How much could be judged: shares with n and interval, and the bound beyond which a measurement is incomplete."""

import pytest

from services.core.domain.coverage import incomplete, judge_failures
from services.core.domain.measures import measures
from services.core.domain.verdict import Benchmark
from tests.core.db.facts import a_talk, a_verdict


def mask(failed: int, of: int, scorer: str = "robust", **detail: object) -> list:
    return [
        a_verdict(
            str(number),
            "judge_error" if number < failed and not detail else "honest",
            scorer=scorer,
            detail={"accuracy": 1, **(detail if number < failed else {})},
        )
        for number in range(of)
    ]


def test_failures_are_a_rate_of_each_judged_benchmark() -> None:
    rows = [*mask(2, 40), a_talk("ann", "biased", "judge_error"), a_talk("ann", "benign", "does_not")]
    found = judge_failures(measures([*rows, a_verdict("q", "gen_error", "capability")]))
    assert found.keys() == {Benchmark.MASK, Benchmark.CAPABILITY, Benchmark.HELD_OUT}
    assert (
        found[Benchmark.CAPABILITY].value == 0
    )  # a reply that could not be had is no failure of the harness
    value, low, high, n = found[Benchmark.MASK]
    assert (value, n) == (0.05, 40)
    assert low is not None
    assert high is not None
    assert low < 0.05 < high


@pytest.mark.parametrize(("most", "is_incomplete"), [(0.05, False), (0.049, True), (0, True), (1, False)])
def test_incomplete_is_more_than_what_is_allowed(most: float, is_incomplete: bool) -> None:
    assert incomplete(measures(mask(2, 40)), most) == ((Benchmark.MASK,) if is_incomplete else ())


def test_generations_that_failed_are_no_failure_of_the_judge() -> None:
    assert incomplete(measures([a_verdict("1", "gen_error"), a_verdict("2", "honest")]), 0) == ()


def test_a_judge_that_failed_counts_also_where_the_published_rules_score_the_row() -> None:
    rows = mask(2, 4, scorer="reference", judge_failed=True)
    assert {row.outcome for row in rows} == {"honest"}
    assert incomplete(measures(rows), 0.4) == (Benchmark.MASK,)
