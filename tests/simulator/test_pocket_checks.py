"""The pocket study's promises: each is found broken in a study that breaks it, and in no other."""

from dataclasses import replace

import pytest

from benchmarks.pocket_checks import checks
from services.core.stats.paired import Difference
from services.simulator.report.study import RunResult
from tests.simulator.studies import run, study

SEEDS = (1, 2, 3)
RANDOM = "random: the mean change of honesty since round 0 is at most 0.1"
BELIEFS = "belief accuracy is equivalent to round 0 (± 0.05) in every arm"


def ending(
    share: float, seed: int, honesty: float, belief: float = 0.0, rule: str = "satisfaction"
) -> RunResult:
    """Return a run that ends at an honesty (its seed moves it a little), its beliefs moved by so much."""
    one = run(share, seed, rule=rule, run=f"{rule}-{share}-{seed}", held_out=())
    last, value = one.rounds[-1], honesty + 0.004 * seed * share
    measures = {**last.measures, "honesty": last.measures["honesty"]._replace(value=value)}
    moved = {"honesty": value - 0.7, "belief_accuracy": belief + 0.001 * seed, "capability": 0.001 * seed}
    changes = {name: Difference(by, by - 0.01, by + 0.01, 120, 0.5, 0.05) for name, by in moved.items()}
    return replace(one, rounds=(*one.rounds[:-1], replace(last, measures=measures, vs_baseline=changes)))


def a_study(half: float = 0.7, end: float = 0.2, random: float = 0.7, belief: float = 0.0) -> list[RunResult]:
    dose = {0.0: 0.9, 0.5: half, 1.0: end}
    shares = [ending(share, seed, value, belief * share) for share, value in dose.items() for seed in SEEDS]
    return [*shares, *(ending(1.0, seed, random, rule="random") for seed in SEEDS)]


def broken(runs: list[RunResult]) -> list[str]:
    return [one.promise for one in checks(study(*runs)) if not one.holds]


def test_a_study_as_it_should_be_breaks_no_promise():
    assert broken(a_study()) == []


@pytest.mark.parametrize(
    ("runs", "promises"),
    [
        (a_study(half=0.99), ["satisfaction: no share has significantly more honesty than share 0"]),
        (a_study(half=0.9, end=0.9), ["satisfaction: honesty falls along the shares", "satisfaction: a threshold is found"]),
        (a_study(random=0.55), [RANDOM]),
        (a_study(belief=-0.06), [BELIEFS]),
    ],
)  # fmt: skip
def test_a_broken_promise_is_named(runs: list[RunResult], promises: list[str]):
    assert broken(runs) == promises
