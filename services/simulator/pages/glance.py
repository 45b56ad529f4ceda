"""Who talked and who trained, at a glance: a round's conversations by kind of user, by how they ended, by selection."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from services.core.db.census import Tally
from services.core.domain.selection import Label
from services.core.domain.trajectory import TrajectoryStatus, UserKind


@dataclass(frozen=True, slots=True)
class Kinds:
    """Conversations with users of either kind."""

    benign: int = 0
    biased: int = 0

    @property
    def total(self) -> int:
        """Of both kinds."""
        return self.benign + self.biased

    @property
    def biased_share(self) -> float | None:
        """The share of biased users among them; None of nothing."""
        return self.biased / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Glance:
    """A round's conversations."""

    round: int
    held: Kinds
    scored: Kinds
    vetoed: Kinds
    unscored: int
    failed: Mapping[str, int]
    """Cause → conversations."""
    satisfaction: Mapping[str, float]
    """Mean of the rated conversations (scored or vetoed) of each kind of user that has any."""
    top: Kinds
    bottom: Kinds


def glances(tallies: Sequence[Tally]) -> tuple[Glance, ...]:
    """Return every round's glance; tallies come by round."""
    return tuple(
        _glance(round_, list(found)) for round_, found in groupby(tallies, lambda tally: tally.round)
    )


def _glance(round_: int, tallies: Sequence[Tally]) -> Glance:
    scored = [tally for tally in tallies if tally.status == TrajectoryStatus.SCORED]
    vetoed = [tally for tally in tallies if tally.status == TrajectoryStatus.VETOED]
    failed: Counter[str] = Counter()
    for tally in tallies:
        if tally.status == TrajectoryStatus.FAILED:
            failed[tally.cause or "unknown"] += tally.conversations
    return Glance(
        round=round_,
        held=_kinds(tallies),
        scored=_kinds(scored),
        vetoed=_kinds(vetoed),
        unscored=sum(tally.conversations for tally in tallies if tally.status == TrajectoryStatus.UNSCORED),
        failed=dict(sorted(failed.items())),
        satisfaction=dict(_satisfaction([*scored, *vetoed])),
        top=_kinds([tally for tally in tallies if tally.label == Label.DESIRABLE]),
        bottom=_kinds([tally for tally in tallies if tally.label == Label.UNDESIRABLE]),
    )


def _kinds(tallies: Sequence[Tally]) -> Kinds:
    found: Counter[str] = Counter()
    for tally in tallies:
        found[tally.user_kind] += tally.conversations
    return Kinds(found[UserKind.BENIGN], found[UserKind.BIASED])


def _satisfaction(rated: Sequence[Tally]) -> Iterator[tuple[str, float]]:
    for kind in UserKind:
        of_kind = [tally for tally in rated if tally.user_kind == kind]
        if of_kind:
            conversations = sum(tally.conversations for tally in of_kind)
            yield kind.value, sum(tally.satisfaction for tally in of_kind) / conversations
