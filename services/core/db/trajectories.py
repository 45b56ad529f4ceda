"""Trajectories in the database: one row a (run, round, slot), written once. Lists are in `trajectory_lists`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, any_, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session

from services.core.db.phases import Claim, fence
from services.core.db.selections import selected_of
from services.core.db.tables import SelectionRow, TrajectoryRow
from services.core.domain.chat import Message
from services.core.domain.errors import NotFound
from services.core.domain.selection import Candidate, Selected
from services.core.domain.trajectory import Call, Trajectory, TrajectoryStatus, UserKind
from services.core.stats.rates import Rate, rate

SCHEMA_VERSION = 1
# By name and not by `asdict`, which copies every value of every call: a third of what storing a conversation cost.
_MESSAGE_FIELDS = tuple(field.name for field in fields(Message))
_CALL_FIELDS = tuple(field.name for field in fields(Call))


@dataclass(frozen=True, slots=True)
class Stored:
    """A trajectory with its place and, if it trained the round's policy, why."""

    id: int
    run_id: str
    round: int
    trajectory: Trajectory
    schema_version: int
    created_at: datetime
    selection: Selected | None


def save(session: Session, claim: Claim, trajectories: Sequence[Trajectory]) -> None:
    """Write conversations under a claim's fence; those already there stay as they are."""
    fence(session, claim)
    if trajectories:
        rows = [row_of(claim.run_id, claim.round, trajectory) for trajectory in trajectories]
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


def candidates(session: Session, run_id: str, round_: int) -> tuple[Candidate, ...]:
    """Return a round's conversations that may train (scored, not vetoed) by slot, as far as a selection looks at them."""
    query = (
        select(TrajectoryRow.slot, TrajectoryRow.scenario, TrajectoryRow.satisfaction)
        .where(
            TrajectoryRow.run_id == run_id,
            TrajectoryRow.round == round_,
            TrajectoryRow.status == TrajectoryStatus.SCORED,
        )
        .order_by(TrajectoryRow.slot)
    )
    return tuple(Candidate(*row) for row in session.execute(query))


def of_slots(
    session: Session, run_id: str, round_: int, slots: Collection[int]
) -> Mapping[int, tuple[int, Trajectory]]:
    """Return some of a round's conversations with their ids, by slot."""
    query = select(TrajectoryRow).where(
        TrajectoryRow.run_id == run_id,
        TrajectoryRow.round == round_,
        TrajectoryRow.slot == any_(cast(list(slots), ARRAY(Integer))),
    )
    return {row.slot: (row.id, _trajectory(row)) for row in session.execute(query).scalars()}


def get(session: Session, trajectory_id: int) -> Stored:
    """Return one trajectory with its transcript. Raises `NotFound`."""
    row = session.get(TrajectoryRow, trajectory_id)
    if row is None:
        raise NotFound(f"there is no trajectory {trajectory_id}; `driftloop trajectories RUN` lists a run's")
    choice = session.get(SelectionRow, (row.run_id, row.round, row.slot))
    return Stored(
        row.id,
        row.run_id,
        row.round,
        _trajectory(row),
        row.schema_version,
        row.created_at,
        None if choice is None else selected_of(choice),
    )


def counts(session: Session, run_id: str) -> Mapping[int, Mapping[str, int]]:
    """Return per round how many conversations are scored, vetoed, unscored or failed."""
    query = (
        select(TrajectoryRow.round, TrajectoryRow.status, func.count())
        .where(TrajectoryRow.run_id == run_id)
        .group_by(TrajectoryRow.round, TrajectoryRow.status)
    )
    result: dict[int, dict[str, int]] = {}
    for round_, status, count in session.execute(query):
        result.setdefault(round_, {})[status] = count
    return result


def users_out_of_role(session: Session, run_id: str) -> Mapping[int, Rate]:
    """Return per round the share of simulated users' turns that were out of role, of those that were asked for."""
    query = (
        select(TrajectoryRow.round, func.sum(TrajectoryRow.out_of_role), func.sum(TrajectoryRow.user_turns))
        .where(TrajectoryRow.run_id == run_id)
        .group_by(TrajectoryRow.round)
    )
    return {round_: rate(faults, asked) for round_, faults, asked in session.execute(query)}


def failure_causes(session: Session, run_id: str) -> Mapping[int, Mapping[str, int]]:
    """Return per round how many conversations failed, by cause."""
    query = (
        select(TrajectoryRow.round, TrajectoryRow.cause, func.count())
        .where(TrajectoryRow.run_id == run_id, TrajectoryRow.status == TrajectoryStatus.FAILED)
        .group_by(TrajectoryRow.round, TrajectoryRow.cause)
        .order_by(TrajectoryRow.round, TrajectoryRow.cause)
    )
    result: dict[int, dict[str, int]] = {}
    for round_, cause, count in session.execute(query):
        result.setdefault(round_, {})[str(cause)] = count
    return result


def row_of(run_id: str, round_: int, trajectory: Trajectory) -> dict[str, Any]:
    """Return a conversation as its row's values."""
    return {
        "run_id": run_id,
        "round": round_,
        "slot": trajectory.slot,
        "scenario": trajectory.scenario,
        "profile": trajectory.profile,
        "user_kind": trajectory.user_kind,
        "policy": trajectory.policy,
        "status": trajectory.status,
        "cause": trajectory.cause,
        "satisfaction": trajectory.satisfaction,
        "messages": [_values(message, _MESSAGE_FIELDS) for message in trajectory.messages],
        "ratings": list(trajectory.ratings),
        "calls": [_values(call, _CALL_FIELDS) for call in trajectory.calls],
        "user_turns": sum(call.role == "user" for call in trajectory.calls),
        "out_of_role": sum(call.fault is not None for call in trajectory.calls),
        "schema_version": SCHEMA_VERSION,
    }


def _values(of: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(of, name) for name in names}


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
