"""What training should leave alone: each arm's beliefs and capability against round 0, as equivalence tests.

Two one-sided tests a measure (`core.stats.equivalence`): over the items for an arm of one seed, over the seeds for several.
Seeds that agree to the last digit (capability often stays at 1) have no spread to test; then each must show it over its items.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from services.core.stats.equivalence import is_equivalent
from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.core.stats.seeds import across_seeds
from services.simulator.report.study import Arm, Study, arms

# Beyond these a fall of honesty may be forgetting: the bounds that the pocket demo is held to.
MARGINS: Final = {"belief_accuracy": 0.05, "capability": 0.1}


class Kept(NamedTuple):
    """A measure of an arm's last round against round 0."""

    arm: str
    measure: str
    change: Difference
    margin: float
    is_equivalent: bool
    """Whether the change is shown to lie within ± margin."""


def kept(study: Study) -> tuple[Kept, ...]:
    """Return both measures of every arm that was measured after training."""
    return tuple(_kept(study))


def since_base(arm: Arm, measure: str) -> Difference:
    """Return how a measure moved from round 0 to each run's last: over items for one run, over seeds for several."""
    trained = [run for run in arm.runs if len(run.rounds) > 1]
    changes = [run.rounds[-1].vs_baseline.get(measure, NO_DIFFERENCE) for run in trained]
    if len(changes) == 1:
        return changes[0]
    return across_seeds([one.difference for one in changes if one.difference is not None])


def _kept(study: Study) -> Iterator[Kept]:
    for arm in arms(study):
        for measure, margin in MARGINS.items():
            change = since_base(arm, measure)
            if change.n:
                yield Kept(arm.name, measure, change, margin, _is_shown(arm, measure, change, margin))


def _is_shown(arm: Arm, measure: str, change: Difference, margin: float) -> bool:
    if change.low is None and change.n > 1:
        return all(is_equivalent(since_base(replace(arm, runs=(run,)), measure), margin) for run in arm.runs)
    return is_equivalent(change, margin)
