"""Phases and shards as people look at them: a phase's totals, its shards page by page, and how fast they come on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Float, and_, case, cast, func, select
from sqlalchemy.orm import Session

from services.core.db.tables import Event, Phase, Run
from services.core.domain.events import EventKind
from services.core.domain.phases import PhaseName, RunStatus, ShardStatus

RECENT_EVENTS = 400
"""How far back, in events, a speed is looked for."""


@dataclass(frozen=True, slots=True)
class PhaseTotals:
    """One phase of one round, over its shards."""

    run_id: str
    round: int
    name: PhaseName
    shards: int
    owed: int
    running: int
    done: int
    failed: int
    units_done: int
    units_total: int
    started_at: datetime | None
    finished_at: datetime | None
    """When its last shard was done; None before."""

    @property
    def is_done(self) -> bool:
        """Whether all shards are done."""
        return self.finished_at is not None

    @property
    def fraction(self) -> float:
        """The share done, 0 to 1."""
        return 1.0 if self.is_done else self.units_done / max(self.units_total, 1)

    @property
    def took_s(self) -> float | None:
        """How long it took from its first claim to its end; None before its end."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """A shard as stored."""

    id: int
    round: int
    name: PhaseName
    shard: int
    first_unit: int
    last_unit: int
    status: ShardStatus
    attempt: int
    failures: int
    worker: str | None
    units_done: int
    units_total: int
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShardFilter:
    """Which shards to list; empty means any."""

    rounds: Sequence[int] = ()
    names: Sequence[PhaseName] = ()
    statuses: Sequence[ShardStatus] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A moment, `age_s` ago, at which a shard that was first claimed `began_s` ago was known to be this far."""

    shard: int
    units_done: int
    age_s: float
    began_s: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """The shards of running runs that are not done, and how long the oldest due one has been waiting."""

    shards: Mapping[tuple[PhaseName, ShardStatus], int]
    oldest_due_s: float


def totals(session: Session, run_ids: Sequence[str]) -> tuple[PhaseTotals, ...]:
    """Return the phases of some runs, each run's in the order in which they were owed."""
    columns: list[Any] = [
        *(Phase.run_id, Phase.round, Phase.name, func.count()),
        *(func.count().filter(Phase.status == status) for status in ShardStatus),
        *(func.sum(Phase.units_done), func.sum(Phase.units_total), func.min(Phase.started_at)),
        case((func.bool_and(Phase.status == ShardStatus.DONE), func.max(Phase.finished_at))),
    ]
    query = (
        select(*columns)
        .where(Phase.run_id.in_(run_ids))
        .group_by(Phase.run_id, Phase.round, Phase.name)
        .order_by(Phase.run_id, func.min(Phase.id))
    )
    return tuple(
        PhaseTotals(run_id, round_, PhaseName(name), *rest)
        for run_id, round_, name, *rest in map(tuple, session.execute(query))
    )


def page(
    session: Session, run_id: str, which: ShardFilter, limit: int, after: int = 0
) -> tuple[ShardRecord, ...]:
    """Return a run's shards in the order in which they were owed, at most `limit` behind the id `after`."""
    query = select(Phase).where(Phase.run_id == run_id, Phase.id > after).order_by(Phase.id).limit(limit)
    wanted = {Phase.round: which.rounds, Phase.name: which.names, Phase.status: which.statuses}
    for column, values in wanted.items():
        if values:
            query = query.where(column.in_(values))
    return tuple(_record(row) for row in session.execute(query).scalars())


def recent_steps(session: Session, run_id: str, round_: int, name: PhaseName) -> tuple[Step, ...]:
    """Return how far the shards of a phase were at the run's last events, oldest first."""
    newest = select(Run.last_seq).where(Run.id == run_id).scalar_subquery()
    of_shard = and_(Phase.run_id == run_id, Phase.round == round_, Phase.name == name)
    query = (
        select(
            Phase.shard,
            Event.data["units_done"].as_integer(),
            *map(_ago, (Event.created_at, Phase.started_at)),
        )
        .join(Phase, and_(of_shard, Phase.shard == Event.data["shard"].as_integer()))
        .where(Event.run_id == run_id, Event.seq > newest - RECENT_EVENTS)
        .where(Event.kind == EventKind.SHARD_PROGRESS, Event.data["phase"].as_string() == name)
        .where(Event.data["round"].as_integer() == round_)
        # A measurement whose failures are asked again has begun anew.
        .where(Event.created_at >= Phase.started_at)
        .order_by(Event.seq)
    )
    return tuple(Step(*row) for row in session.execute(query))


def worked(session: Session, run_ids: Collection[str]) -> frozenset[str]:
    """Return which of some runs are worked now: they run, and a worker holds a shard of theirs under a lease that has not run out.

    Between two shards a run is worked by nobody for a moment.
    """
    query = (
        select(Phase.run_id)
        .join(Run, Run.id == Phase.run_id)
        .where(Phase.run_id.in_(run_ids), Run.status == RunStatus.RUNNING)
        .where(Phase.status == ShardStatus.RUNNING, Phase.lease_until >= func.now())
        .distinct()
    )
    return frozenset(session.execute(query).scalars())


def backlog(session: Session) -> Backlog:
    """Return what is owed and worked now, over all running runs."""
    is_left = and_(Phase.status != ShardStatus.DONE, Run.status == RunStatus.RUNNING)
    left = select(Phase.name, Phase.status, func.count()).join(Run, Run.id == Phase.run_id).where(is_left)
    counted = session.execute(left.group_by(Phase.name, Phase.status))
    is_due = and_(Phase.status == ShardStatus.OWED, Run.status == RunStatus.RUNNING)
    waiting = select(_ago(func.min(Phase.owed_at))).join(Run, Run.id == Phase.run_id).where(is_due)
    return Backlog(
        {(PhaseName(name), ShardStatus(status)): count for name, status, count in counted},
        session.execute(waiting).scalar_one() or 0.0,
    )


def _ago(moment: Any) -> ColumnElement[float]:
    return cast(func.extract("epoch", func.now() - moment), Float)


def _record(row: Phase) -> ShardRecord:
    return ShardRecord(
        row.id,
        row.round,
        PhaseName(row.name),
        row.shard,
        row.first_unit,
        row.last_unit,
        ShardStatus(row.status),
        row.attempt,
        row.failures,
        row.worker,
        row.units_done,
        row.units_total,
        row.error,
        row.started_at,
        row.finished_at,
    )
