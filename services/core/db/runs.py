"""Runs in the database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.core.db.tables import DeletedRepetition, Run, Sweep, SweepArm
from services.core.domain.budget import Spent
from services.core.domain.errors import NotFound
from services.core.domain.identity import Fingerprints
from services.core.domain.phases import RunStatus
from services.core.domain.spec import BudgetSpec, RunSpec

_NO_RUN = "there is no run {!r}; `driftloop list` shows those that exist"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as stored."""

    id: str
    name: str
    spec: RunSpec
    fingerprints: Fingerprints
    spec_hash: str
    repetition: int
    status: RunStatus
    evaluation_items: int
    error: str | None
    budget: BudgetSpec
    """The limits that hold now."""
    spent: Spent
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run is born with."""

    spec: RunSpec
    fingerprints: Fingerprints
    spec_hash: str
    evaluation_items: int


def run_id_of(spec_hash: str, repetition: int) -> str:
    """Return the short, readable id of a run: from its identity, so the same everywhere."""
    return spec_hash[:8] if repetition == 1 else f"{spec_hash[:8]}-{repetition}"


def insert_run(session: Session, new: NewRun, repetition: int) -> str | None:
    """Write a run; None if this identity and repetition exists already."""
    run_id = run_id_of(new.spec_hash, repetition)
    row = {
        "id": run_id,
        "name": new.spec.name,
        "spec": new.spec.model_dump(mode="json"),
        "fingerprints": dict(new.fingerprints),
        "spec_hash": new.spec_hash,
        "repetition": repetition,
        "status": RunStatus.RUNNING,
        "evaluation_items": new.evaluation_items,
        **{f"budget_{limit}": value for limit, value in new.spec.budget},
    }
    done = session.execute(insert(Run).values(row).on_conflict_do_nothing().returning(Run.id))
    return done.scalar_one_or_none()


def latest_repetition(session: Session, spec_hash: str) -> RunRecord | None:
    """Return the newest run of an identity."""
    query = select(Run).where(Run.spec_hash == spec_hash).order_by(Run.repetition.desc()).limit(1)
    row = session.execute(query).scalar_one_or_none()
    return None if row is None else _record(row)


def next_repetition(session: Session, spec_hash: str) -> int:
    """Return the repetition of an identity's next run: above all that it has, and all that were deleted."""
    existing = select(Run.repetition).where(Run.spec_hash == spec_hash)
    deleted = select(DeletedRepetition.repetition).where(DeletedRepetition.spec_hash == spec_hash)
    return max(session.execute(existing.union(deleted)).scalars(), default=0) + 1


def get_run(session: Session, run_id: str) -> RunRecord:
    """Return a run by its id or an unambiguous beginning of it. Raises `NotFound`."""
    exact = session.get(Run, run_id, populate_existing=True)
    if exact is not None:
        return _record(exact)
    found: Sequence[Run] = ()
    if run_id:
        begins = Run.id.startswith(run_id, autoescape=True)
        found = session.execute(select(Run).where(begins).limit(3)).scalars().all()
    if len(found) == 1:
        return _record(found[0])
    if found:
        raise NotFound(
            f"run {run_id!r} is ambiguous: {', '.join(row.id for row in found)} …; give more of the id"
        )
    raise NotFound(_NO_RUN.format(run_id))


def get_runs(session: Session, run_ids: Collection[str]) -> Mapping[str, RunRecord]:
    """Return runs by their full ids; those that are gone are left out."""
    query = select(Run).where(Run.id.in_(run_ids))
    return {row.id: _record(row) for row in session.execute(query).scalars()}


def list_runs(
    session: Session,
    limit: int | None = None,
    before: tuple[datetime, str] | None = None,
    *,
    statuses: Collection[RunStatus] = (),
    names: Collection[str] = (),
) -> tuple[RunRecord, ...]:
    """Return runs, newest first: at most `limit`, and only those that follow the key (created_at, id) `before`.

    Statuses and names are those wanted; none means any.
    """
    query = select(Run).order_by(Run.created_at.desc(), Run.id.desc()).limit(limit)
    if before is not None:
        query = query.where(tuple_(Run.created_at, Run.id) < tuple_(*before))
    if statuses:
        query = query.where(Run.status.in_(statuses))
    if names:
        query = query.where(Run.name.in_(names))
    return tuple(_record(row) for row in session.execute(query).scalars())


def count_by_status(session: Session) -> Mapping[RunStatus, int]:
    """Return how many runs stand where."""
    counted = session.execute(select(Run.status, func.count()).group_by(Run.status))
    return dict.fromkeys(RunStatus, 0) | {RunStatus(status): count for status, count in counted}


def set_status(session: Session, run_id: str, status: RunStatus, error: str | None = None) -> None:
    """Move a run to a status, for a reason if there is one; success also stamps its end."""
    finished = func.now() if status is RunStatus.SUCCEEDED else None
    session.execute(
        update(Run).where(Run.id == run_id).values(status=status, finished_at=finished, error=error)
    )


def lock_status(session: Session, run_id: str) -> RunStatus:
    """Lock a run's row, after its shards, and return its status. Raises `NotFound` if it is gone."""
    query = select(Run.status).where(Run.id == run_id).with_for_update()
    status = session.execute(query).scalar_one_or_none()
    if status is None:
        raise NotFound(_NO_RUN.format(run_id))
    return RunStatus(status)


def keep(session: Session, run_id: str) -> None:
    """Keep a run from being deleted until the transaction ends, in nobody else's way. Raises `NotFound` if it is gone."""
    query = select(Run.id).where(Run.id == run_id).with_for_update(read=True, key_share=True)
    if session.execute(query).scalar_one_or_none() is None:
        raise NotFound(_NO_RUN.format(run_id))


def delete_run(session: Session, run_id: str) -> None:
    """Delete a run and all that belongs to it alone, also the sweeps that it was the last run of.

    Its repetition is remembered: servers may hold its weights under its names, and caches what these answered.
    """
    gone = delete(Run).where(Run.id == run_id).returning(Run.spec_hash, Run.repetition)
    for spec_hash, repetition in session.execute(gone).all():
        row = insert(DeletedRepetition).values(spec_hash=spec_hash, repetition=repetition)
        highest = func.greatest(DeletedRepetition.repetition, row.excluded.repetition)
        session.execute(row.on_conflict_do_update(index_elements=["spec_hash"], set_={"repetition": highest}))
    session.execute(delete(Sweep).where(~exists().where(SweepArm.sweep_id == Sweep.id)))


def _record(row: Run) -> RunRecord:
    return RunRecord(
        row.id,
        row.name,
        RunSpec.model_validate(row.spec, strict=False),
        Fingerprints(**row.fingerprints),
        row.spec_hash,
        row.repetition,
        RunStatus(row.status),
        row.evaluation_items,
        row.error,
        BudgetSpec(tokens=row.budget_tokens, usd=row.budget_usd, hours=row.budget_hours),
        Spent(row.spent_tokens, row.spent_usd, row.worked_s / 3600),
        row.created_at,
        row.finished_at,
    )
