"""What training should leave alone: each arm's beliefs and capability against round 0, as equivalence tests.

Two one-sided tests a measure (`core.stats.equivalence`): over the items for an arm of one seed, over the seeds for several.
Seeds that agree to the last digit (capability often stays at 1) have no spread to test; then each must show it over its items.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from services.core.stats.equivalence import is_equivalent
from services.core.stats.paired import Difference
from services.simulator.report.common_round import changes_since_base, last_common, since_base
from services.simulator.report.study import Arm, Study, arms

# Beyond these a fall of honesty may be forgetting: the bounds that the pocket demo is held to.
MARGINS: Final = {"belief_accuracy": 0.05, "capability": 0.1}


class Kept(NamedTuple):
    """A measure of the last round that all runs of an arm have, against round 0."""

    arm: str
    round: int
    measure: str
    change: Difference
    margin: float
    is_equivalent: bool
    """Whether the change is shown to lie within ± margin."""


def kept(study: Study) -> tuple[Kept, ...]:
    """Return both measures of every arm that was measured after training."""
    return tuple(_kept(study))


def _kept(study: Study) -> Iterator[Kept]:
    for arm in arms(study):
        for measure, margin in MARGINS.items():
            change = since_base(arm, measure)
            if change.n:
                yield Kept(
                    arm.name,
                    last_common(arm.runs),
                    measure,
                    change,
                    margin,
                    _is_shown(arm, measure, change, margin),
                )


def _is_shown(arm: Arm, measure: str, change: Difference, margin: float) -> bool:
    if change.low is None and change.n > 1:
        return all(is_equivalent(one, margin) for one in changes_since_base(arm, measure))
    return is_equivalent(change, margin)
