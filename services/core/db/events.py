"""Events: what happened to a run, numbered 1, 2, 3 … for those who watch it.

A number is given by counting up in the run's row, which stays locked until the transaction ends: so numbers become
visible in order, none commits late, and a watcher that has seen `seq` has seen everything before it.

Locks are always taken in one order, shards before their run; `append` is therefore called after a transaction's
changes of `phases`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.core.db.tables import Event, Run
from services.core.domain.events import EventKind


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as stored."""

    run_id: str
    seq: int
    kind: EventKind
    data: Mapping[str, Any]
    created_at: datetime


def append(session: Session, run_id: str, kind: EventKind, **data: Any) -> int | None:
    """Write a run's next event and return its number; None if the run is gone."""
    count_up = update(Run).where(Run.id == run_id).values(last_seq=Run.last_seq + 1).returning(Run.last_seq)
    seq = session.execute(count_up.execution_options(synchronize_session=False)).scalar_one_or_none()
    if seq is not None:
        session.execute(insert(Event).values(run_id=run_id, seq=seq, kind=kind, data=data))
    return seq


def was_closed(session: Session, run_id: str, round_: int, phase: str) -> bool:
    """Tell whether a phase was done to its end before."""
    query = select(
        exists().where(
            Event.run_id == run_id,
            Event.kind == EventKind.PHASE_DONE,
            Event.data["round"].as_integer() == round_,
            Event.data["phase"].as_string() == phase,
        )
    )
    return session.execute(query).scalar_one()


def of_kind(session: Session, run_id: str, kind: EventKind) -> tuple[EventRecord, ...]:
    """Return a run's events of one kind, oldest first."""
    query = select(Event).where(Event.run_id == run_id, Event.kind == kind).order_by(Event.seq)
    return tuple(_record(row) for row in session.execute(query).scalars())


def last_seq(session: Session, run_id: str) -> int:
    """Return the number of a run's newest event; 0 if there is none."""
    return session.execute(select(Run.last_seq).where(Run.id == run_id)).scalar_one_or_none() or 0


def after(session: Session, run_id: str, seq: int, limit: int = 500) -> tuple[EventRecord, ...]:
    """Return a run's events after number `seq`, oldest first."""
    query = select(Event).where(Event.run_id == run_id, Event.seq > seq).order_by(Event.seq).limit(limit)
    return tuple(_record(row) for row in session.execute(query).scalars())


def _record(row: Event) -> EventRecord:
    return EventRecord(row.run_id, row.seq, EventKind(row.kind), row.data, row.created_at)
