"""What training should leave alone is called kept only where that is shown."""

import pytest

from services.core.stats.paired import Difference
from services.simulator.report.kept import kept
from services.simulator.report.study import RoundResult, RunResult
from tests.simulator.studies import run, study


def moved(capability: float, seed: int) -> RunResult:
    change = Difference(capability, capability - 0.01, capability + 0.01, 100, 0.5, 0.05)
    rounds = (RoundResult(0, {}), RoundResult(1, {}, {"capability": change}))
    return run(1.0, seed, rounds=rounds)


@pytest.mark.parametrize(
    ("capabilities", "is_kept"),
    [
        ((-0.01,), True),
        ((-0.095,), False),
        ((-0.01, 0.0, 0.01), True),
        # Each seed's items show it, the seeds together don't.
        ((-0.08, 0.0, 0.08), False),
        ((-0.01, -0.01), True),
        ((-0.095, -0.095), False),
    ],
    ids=[
        "items",
        "items, at the margin",
        "seeds",
        "seeds that differ",
        "seeds too alike, by items",
        "too alike, at the margin",
    ],
)
def test_an_arm_is_kept_if_its_whole_interval_lies_within_the_margin(
    capabilities: tuple[float, ...], is_kept: bool
) -> None:
    (one,) = kept(study(*(moved(change, seed) for seed, change in enumerate(capabilities))))
    assert (one.measure, one.margin, one.is_equivalent) == ("capability", 0.1, is_kept)


def test_both_measures_of_every_arm_are_asked() -> None:
    assert [(one.arm, one.measure) for one in kept(study())] == [
        (arm, measure) for arm in ("0", "0.5", "1") for measure in ("belief_accuracy", "capability")
    ]
