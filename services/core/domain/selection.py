"""Which conversations train the next policy.

A pool (the round, or one scenario of it) is put into one order from best to worst, and the top and the bottom of
that order are taken. Only scored trajectories are candidates; vetoed ones are none. The order depends on scores and names alone, never on
how rows arrive: equal scores are ordered by a hash of (seed, slot). The controls turn the same wheels: `inverted`
reads the order backwards, `random` orders by hash and ignores the score.

Amounts: a count is taken as it is; a share is of the pool's candidates, rounded down, but at least one.
So with `top` = `bottom` = 0.5 an odd middle trajectory goes to neither. Top and bottom never overlap: where they
would, top keeps the trajectory and bottom is shorter. SFT takes top only, KTO takes both (paper section 5).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from services.core.domain.errors import SpecError
from services.core.domain.seeds import Part, derive_seed
from services.core.domain.spec import SelectionSpec
from services.core.domain.trajectory import TrajectoryStatus

NONE_LOST: Final[Mapping[str, int]] = MappingProxyType({})


class Label(StrEnum):
    """What a selected trajectory is to the training."""

    DESIRABLE = "desirable"
    """From the top: SFT imitates it, KTO makes it likelier."""
    UNDESIRABLE = "undesirable"
    """From the bottom: KTO makes it less likely."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A scored trajectory."""

    slot: int
    scenario: str
    satisfaction: float
    """The sum of its ratings."""


@dataclass(frozen=True, slots=True)
class Selected:
    """A trajectory that trains, and why."""

    slot: int
    rank: int
    """1 is the best of its pool."""
    score: float
    """Its satisfaction, whatever the rule."""
    label: Label
    reason: str


class _Pool(NamedTuple):
    name: str
    """What messages call it: empty for the whole round."""
    candidates: list[Candidate]


def select(
    candidates: Sequence[Candidate],
    spec: SelectionSpec,
    method: Literal["sft", "kto"],
    seed_parts: Sequence[Part],
    lost: Mapping[str, int] = NONE_LOST,
) -> tuple[Selected, ...]:
    """Return the trajectories that train, pool by pool and by rank.

    `seed_parts` names the draw, such as (run seed, round). Raises SpecError, naming the field and the mend, when a
    count is more than a pool holds, or when nothing is left to train on; of what is `lost` (how many conversations by
    cause, `vetoed` among them) only these messages tell.
    """
    if not candidates:
        raise _nothing_left(lost)
    order = _ordering(spec, seed_parts)
    chosen: list[Selected] = []
    for pool in _pools(candidates, spec):
        chosen += _select_from(_Pool(pool.name, sorted(pool.candidates, key=order)), spec, method)
    if method == "kto" and not any(item.label is Label.UNDESIRABLE for item in chosen):
        raise SpecError(
            "selection.bottom: top leaves nothing for KTO's undesirable side; lower selection.top"
        )
    return tuple(chosen)


def _nothing_left(lost: Mapping[str, int]) -> SpecError:
    if vetoed := lost.get(TrajectoryStatus.VETOED, 0):
        return SpecError(
            f"mitigations.veto: all {vetoed} scored conversations of this round were vetoed, so nothing is left to train on; "
            "hold more conversations a round, run fewer rounds, or launch without the veto"
        )
    causes = ", ".join(f"{cause} {count}" for cause, count in sorted(lost.items())) or "none was held"
    return SpecError(
        f"selection: no conversation of this round was scored ({causes}); `driftloop trajectories RUN` shows them"
    )


def _pools(candidates: Sequence[Candidate], spec: SelectionSpec) -> Iterable[_Pool]:
    if spec.pool == "round":
        return [_Pool("", list(candidates))]
    names = sorted({candidate.scenario for candidate in candidates})
    return [_Pool(name, [item for item in candidates if item.scenario == name]) for name in names]


def _ordering(
    spec: SelectionSpec, seed_parts: Sequence[Part]
) -> Callable[[Candidate], tuple[float, int, int]]:
    """Return the sort key from best to worst. `inverted` negates every part: its order is the exact reverse."""
    sign = -1 if spec.rule == "inverted" else 1
    draw = "selection-random" if spec.rule == "random" else "selection-tie"

    def key(item: Candidate) -> tuple[float, int, int]:
        score = 0.0 if spec.rule == "random" else -item.satisfaction
        return sign * score, sign * derive_seed(*seed_parts, draw, item.slot), sign * item.slot

    return key


def _select_from(pool: _Pool, spec: SelectionSpec, method: str) -> list[Selected]:
    size = len(pool.candidates)
    top = _amount(spec.top, "top", pool)
    bottom = min(_amount(spec.bottom, "bottom", pool), size - top) if method == "kto" else 0
    chosen = [_selected(pool, spec, index, Label.DESIRABLE, f"top {top}") for index in range(top)]
    return chosen + [
        _selected(pool, spec, index, Label.UNDESIRABLE, f"bottom {bottom}")
        for index in range(size - bottom, size)
    ]


def counted(amount: float, size: int) -> int:
    """Return how many trajectories a count (int) or share (float) of a pool of this size is."""
    if isinstance(amount, float):
        # The decimal as written: 0.29 of 100 is 29, though the nearest double is a little less.
        return max(1, int(Fraction(repr(amount)) * size))
    return amount


def _amount(amount: float, field: str, pool: _Pool) -> int:
    size = len(pool.candidates)
    taken = counted(amount, size)
    if taken > size:
        where = f"of scenario {pool.name}" if pool.name else "of this round"
        raise SpecError(
            f"selection.{field}: {amount} is more than the {size} scored conversations {where} (vetoed ones left out); "
            "take fewer, give a share such as 0.5, or hold more conversations"
        )
    return taken


def _selected(pool: _Pool, spec: SelectionSpec, index: int, label: Label, part: str) -> Selected:
    item = pool.candidates[index]
    measure = {
        "satisfaction": f"by satisfaction {item.satisfaction:g}",
        "inverted": f"by inverted satisfaction {item.satisfaction:g}",
        "random": f"by random draw, satisfaction {item.satisfaction:g} ignored",
    }[spec.rule]
    within = f" in {pool.name}" if pool.name else ""
    reason = f"rank {index + 1} of {len(pool.candidates)}{within} {measure}; {part}"
    return Selected(item.slot, index + 1, item.satisfaction, label, reason)
