"""Trajectories in the database: one row a (run, round, slot), written once."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVarTuple

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.core.db.phases import Claim, fence
from services.core.db.tables import SelectionRow, TrajectoryRow
from services.core.domain.chat import Message
from services.core.domain.errors import NotFound
from services.core.domain.trajectory import Call, Trajectory, TrajectoryStatus, UserKind

SCHEMA_VERSION = 1
Columns = TypeVarTuple("Columns")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which trajectories to list; None means any."""

    run_id: str
    round: int | None = None
    scenario: str | None = None
    user_kind: UserKind | None = None
    status: TrajectoryStatus | None = None
    label: str | None = None
    """`desirable` or `undesirable`: only those selected under this label."""
    score_from: int | None = None
    score_to: int | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A trajectory in a list."""

    id: int
    round: int
    slot: int
    scenario: str
    profile: str
    user_kind: str
    status: str
    cause: str | None
    satisfaction: int | None
    label: str | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A trajectory with its place and, if it was selected, why."""

    id: int
    run_id: str
    round: int
    trajectory: Trajectory
    label: str | None
    reason: str | None


def save(session: Session, claim: Claim, trajectories: Sequence[Trajectory]) -> None:
    """Write conversations under a claim's fence; those already there stay as they are."""
    fence(session, claim)
    if trajectories:
        rows = [_row(claim, trajectory) for trajectory in trajectories]
        session.execute(insert(TrajectoryRow).values(rows).on_conflict_do_nothing())


def stored_slots(session: Session, run_id: str, round_: int, first: int, last: int) -> frozenset[int]:
    """Return which slots of a half-open range have their conversation."""
    query = select(TrajectoryRow.slot).where(
        TrajectoryRow.run_id == run_id,
        TrajectoryRow.round == round_,
        TrajectoryRow.slot >= first,
        TrajectoryRow.slot < last,
    )
    return frozenset(session.execute(query).scalars())


def of_round(session: Session, run_id: str, round_: int) -> tuple[Trajectory, ...]:
    """Return a round's conversations by slot."""
    query = (
        select(TrajectoryRow)
        .where(TrajectoryRow.run_id == run_id, TrajectoryRow.round == round_)
        .order_by(TrajectoryRow.slot)
    )
    return tuple(_trajectory(row) for row in session.execute(query).scalars())


def summaries(session: Session, which: Filter, limit: int, best_first: bool = False) -> tuple[Summary, ...]:
    """List trajectories by round and slot, or by falling satisfaction."""
    order = (
        (TrajectoryRow.satisfaction.desc().nulls_last(), TrajectoryRow.id)
        if best_first
        else (TrajectoryRow.round, TrajectoryRow.slot)
    )
    columns = (
        TrajectoryRow.id,
        TrajectoryRow.round,
        TrajectoryRow.slot,
        TrajectoryRow.scenario,
        TrajectoryRow.profile,
        TrajectoryRow.user_kind,
        TrajectoryRow.status,
        TrajectoryRow.cause,
        TrajectoryRow.satisfaction,
        SelectionRow.label,
    )
    query = _filtered(select(*columns), which).order_by(*order).limit(limit)
    return tuple(Summary(*row) for row in session.execute(query))


def get(session: Session, trajectory_id: int) -> Stored:
    """Return one trajectory with its transcript. Raises `NotFound`."""
    query = (
        select(TrajectoryRow, SelectionRow.label, SelectionRow.reason)
        .outerjoin(SelectionRow, _selected())
        .where(TrajectoryRow.id == trajectory_id)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound(f"there is no trajectory {trajectory_id}; `driftloop trajectories RUN` lists a run's")
    row, label, reason = found
    return Stored(row.id, row.run_id, row.round, _trajectory(row), label, reason)


def counts(session: Session, run_id: str) -> Mapping[int, Mapping[str, int]]:
    """Return per round how many conversations are scored, unscored or failed."""
    query = (
        select(TrajectoryRow.round, TrajectoryRow.status, func.count())
        .where(TrajectoryRow.run_id == run_id)
        .group_by(TrajectoryRow.round, TrajectoryRow.status)
    )
    result: dict[int, dict[str, int]] = {}
    for round_, status, count in session.execute(query):
        result.setdefault(round_, {})[status] = count
    return result


def failure_causes(session: Session, run_id: str, round_: int) -> Mapping[str, int]:
    """Return how many of a round's conversations failed, by cause."""
    query = (
        select(TrajectoryRow.cause, func.count())
        .where(TrajectoryRow.run_id == run_id, TrajectoryRow.round == round_)
        .where(TrajectoryRow.status == TrajectoryStatus.FAILED)
        .group_by(TrajectoryRow.cause)
    )
    return {str(cause): count for cause, count in session.execute(query)}


def _selected() -> Any:
    return (
        (SelectionRow.run_id == TrajectoryRow.run_id)
        & (SelectionRow.round == TrajectoryRow.round)
        & (SelectionRow.slot == TrajectoryRow.slot)
    )


def _filtered(query: Select[*Columns], which: Filter) -> Select[*Columns]:
    query = query.outerjoin(SelectionRow, _selected()).where(TrajectoryRow.run_id == which.run_id)
    equal = {
        TrajectoryRow.round: which.round,
        TrajectoryRow.scenario: which.scenario,
        TrajectoryRow.user_kind: which.user_kind,
        TrajectoryRow.status: which.status,
        SelectionRow.label: which.label,
    }
    for column, value in equal.items():
        if value is not None:
            query = query.where(column == value)
    if which.score_from is not None:
        query = query.where(TrajectoryRow.satisfaction >= which.score_from)
    if which.score_to is not None:
        query = query.where(TrajectoryRow.satisfaction <= which.score_to)
    return query


def _row(claim: Claim, trajectory: Trajectory) -> dict[str, Any]:
    return {
        "run_id": claim.run_id,
        "round": claim.round,
        "slot": trajectory.slot,
        "scenario": trajectory.scenario,
        "profile": trajectory.profile,
        "user_kind": trajectory.user_kind,
        "policy": trajectory.policy,
        "status": trajectory.status,
        "cause": trajectory.cause,
        "satisfaction": trajectory.satisfaction,
        "messages": [asdict(message) for message in trajectory.messages],
        "ratings": list(trajectory.ratings),
        "calls": [asdict(call) for call in trajectory.calls],
        "schema_version": SCHEMA_VERSION,
    }


def _trajectory(row: TrajectoryRow) -> Trajectory:
    return Trajectory(
        slot=row.slot,
        scenario=row.scenario,
        profile=row.profile,
        user_kind=UserKind(row.user_kind),
        policy=row.policy,
        status=TrajectoryStatus(row.status),
        cause=row.cause,
        messages=tuple(Message(**message) for message in row.messages),
        ratings=tuple(row.ratings),
        calls=tuple(Call(**call) for call in row.calls),
    )
