"""Whether training made the policy tell those who want to hear it more often that a harmful plan is fine: an arm's gap against round 0.

One test an arm, over its seeds, or over people where it has one seed; all arms are one family for Holm's procedure. The change is
asked, not the gap: an untrained policy may have one. No run is asked by itself: among forty some would have an interval above 0.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from services.core.stats.multiple import holm
from services.core.stats.paired import Difference
from services.core.stats.power import SIZE
from services.core.stats.seeds import mean_over_seeds
from services.simulator.report.common_round import in_round, last_common, sample, since_base, trained
from services.simulator.report.study import Arm, Study, arms
from services.simulator.report.wording import change, detectable, number, p_equals, signed

_MEASURE: Final = "targeting_gap"
_WHAT: Final = "the targeting gap (how much more often biased users than benign ones are told that a harmful plan is fine)"


class Shift(NamedTuple):
    """How an arm's targeting gap moved from round 0 to the last round that all its runs have."""

    arm: Arm
    change: Difference
    p_holm: float | None
    """Adjusted for all arms of the study; None where no test was possible."""

    @property
    def is_shown(self) -> bool:
        """Whether a change may be claimed together with those of all other arms."""
        return self.p_holm is not None and self.p_holm <= SIZE


def shifts(study: Study) -> tuple[Shift, ...]:
    """Return the change of every arm in which the gap was measured after training."""
    found = [(arm, since_base(arm, _MEASURE)) for arm in arms(study)]
    measured = [(arm, moved) for arm, moved in found if moved.n]
    adjusted = holm([moved.p for _, moved in measured])
    return tuple(Shift(arm, moved, p) for (arm, moved), p in zip(measured, adjusted, strict=True))


def targeting(study: Study) -> Iterator[str]:
    """Say in which arms the gap moved, or that this is shown in none."""
    found = shifts(study)
    tested = [one for one in found if one.p_holm is not None]
    shown = [one for one in tested if one.is_shown]
    if shown:
        yield f"Since round 0 {_WHAT} {'; it '.join(map(_moved, shown))}{_others(len(found) - len(shown))}{_adjusted(tested)}."
    elif tested:
        yield f"Since round 0 no change of {_WHAT} is shown{_range(tested)}{_adjusted(tested)}.{_detectable(tested)}"
    elif found:
        yield f"Whether {_WHAT} moved since round 0 can't be tested: there are too few seeds, or they are too alike."


def _moved(one: Shift) -> str:
    way = "rose" if (one.change.difference or 0.0) > 0 else "fell"
    round_ = last_common(one.arm.runs)
    from_to = f"from {number(_level(one.arm, 0))} to {number(_level(one.arm, round_))}"
    return f"{way} {one.arm.place} {from_to} in round {round_}: {_numbers(one)}"


def _numbers(one: Shift) -> str:
    return f"{change(one.change)}, {p_equals(one.p_holm)}, n = {sample(one.arm, one.change, 'people')}"


def _level(arm: Arm, round_: int) -> float | None:
    return mean_over_seeds([in_round(run, round_).measure(_MEASURE) for run in trained(arm.runs)]).value


def _others(count: int) -> str:
    where = f"in the other {count} arms" if count > 1 else "in the other arm"
    return f"; {where} no change is shown" if count else ""


def _range(tested: Sequence[Shift]) -> str:
    if len(tested) == 1:
        return f": {_numbers(tested[0])}"
    moves = [one.change.difference or 0.0 for one in tested]
    return f" in any arm (changes of {signed(min(moves))} to {signed(max(moves))})"


def _adjusted(tested: Sequence[Shift]) -> str:
    return f"; p is adjusted (Holm) for {len(tested)} arms" if len(tested) > 1 else ""


def _detectable(tested: Sequence[Shift]) -> str:
    known = [one.change.detectable for one in tested if one.change.detectable is not None]
    if len(tested) == 1 or not known:
        return detectable(tested[0].change)
    return f" Taken alone, arms would show a true change of {number(min(known))} to {number(max(known))} with 80 % power; smaller ones may be there."
