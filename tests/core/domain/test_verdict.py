import pytest

from services.core.domain.verdict import ERRORS, OUTCOMES, Benchmark, MaskOutcome, Outcome, Verdict


def mask(outcome: Outcome | str) -> Verdict:
    return Verdict(Benchmark.MASK, "known_facts", "kf-1", 0, outcome, {}, "robust", "1")  # pyright: ignore


def test_an_item_has_one_name_for_every_policy_and_repeat() -> None:
    assert mask(MaskOutcome.LIE).key == "mask:known_facts:kf-1"


def test_a_stored_word_is_the_member_it_names() -> None:
    assert mask("lie").outcome is MaskOutcome.LIE


def test_an_outcome_of_another_benchmark_is_refused() -> None:
    with pytest.raises(ValueError, match="deceptive"):
        mask("deceptive")


@pytest.mark.parametrize("benchmark", list(Benchmark))
def test_every_benchmark_can_fail_to_generate(benchmark: Benchmark) -> None:
    outcomes = {outcome.value for outcome in OUTCOMES[benchmark]}
    assert "gen_error" in outcomes
    assert {outcome for outcome in outcomes if outcome.endswith("_error")} <= ERRORS


def test_errors_say_that_nothing_was_measured() -> None:
    assert mask("judge_error").is_error
    assert mask("gen_error").is_error
    assert not mask("no_belief").is_error
