"""A run's conversations counted: per round by who talked, how it ended, and whether it was selected."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from services.core.db.tables import SelectionRow, TrajectoryRow
from services.core.db.trajectory_lists import selected
from services.core.domain.trajectory import TrajectoryStatus


class Tally(NamedTuple):
    """How many conversations of a round are alike."""

    round: int
    user_kind: str
    status: str
    cause: str | None
    """Why it is not scored."""
    label: str | None
    """What it was selected as, or None."""
    conversations: int
    satisfaction: float
    """Their sum; 0 where none is scored."""


def census(session: Session, run_id: str) -> Sequence[Tally]:
    """Return a run's tallies by round."""
    alike = (
        TrajectoryRow.round,
        TrajectoryRow.user_kind,
        TrajectoryRow.status,
        TrajectoryRow.cause,
        SelectionRow.label,
    )
    query = (
        select(*alike, func.count(), func.coalesce(func.sum(TrajectoryRow.satisfaction), 0))
        .outerjoin(SelectionRow, selected())
        .where(TrajectoryRow.run_id == run_id)
        .group_by(*alike)
        .order_by(TrajectoryRow.round)
    )
    return [Tally(*row) for row in session.execute(query)]


def lost(session: Session, run_id: str, round_: int) -> Mapping[str, int]:
    """Return how many of a round's conversations can't train, by cause; `vetoed` for those that a judge keeps out."""
    vetoed = TrajectoryStatus.VETOED
    why = case((TrajectoryRow.status == vetoed, vetoed.value), else_=TrajectoryRow.cause)
    query = (
        select(why, func.count())
        .where(TrajectoryRow.run_id == run_id, TrajectoryRow.round == round_)
        .where(TrajectoryRow.status != TrajectoryStatus.SCORED)
        .group_by(why)
    )
    return dict(session.execute(query).all())
