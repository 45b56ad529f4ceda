"""The phase machine's SQL: owe, claim, renew, give back, fail, finish.

A claim is a fencing token: (shard, attempt). Every write of a worker's facts goes through `fence`, which locks the
shard's row and refuses a claim that another attempt has superseded (`StaleClaim`). So a worker that was thought
dead, and is not, can change nothing.

Locks are taken in one order, shards before their run (`events.append` locks the run), so no two workers wait for each
other. Shards are owed only under their run's lock: whoever has it knows all shards, and those that appeared while it was waited
for must be locked first (`queue.rounds.hold`). Who locks several runs (a sweep's launch) takes each with its shards, in the order of
their identities. A claim alone may wait for a shard of another run, its twin, which is in a claim that has not been committed;
the twin's claimant wants nothing more but its own run.

The clock is the database's (`now()`), so workers on several machines need not agree on the time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from psycopg.errors import UniqueViolation
from sqlalchemy import (
    ColumnElement,
    Text,
    and_,
    any_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased
from sqlalchemy.sql.dml import ReturningUpdate

from services.core.db import budgets, events
from services.core.db.tables import Phase, Run
from services.core.domain.errors import StaleClaim
from services.core.domain.events import EventKind
from services.core.domain.phases import Owed, PhaseName, RunStatus, ShardStatus, shard_ranges

MAX_FAILURES = 3
MAX_SILENCES = 10
"""Leases of one shard that may run out. A kill says little about the shard that it met, so many are forgiven; a shard
that kills every worker (it fills the memory, say) must end its run at last."""
_SILENT = "the worker fell silent (killed?)"
_LEFT = (ShardStatus.OWED, ShardStatus.RUNNING, ShardStatus.FAILED)
_OWED_AGAIN: dict[str, Any] = {
    "status": ShardStatus.OWED,
    "lease_until": None,
    "worker": None,
    "owed_at": func.now(),
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A shard in a worker's hands."""

    phase_id: int
    attempt: int
    run_id: str
    round: int
    name: PhaseName
    shard: int
    first_unit: int
    last_unit: int


class DueShard(NamedTuple):
    """A shard that a worker may claim now."""

    run_id: str
    round: int
    name: PhaseName
    shard: int
    attempt: int
    """The attempt that a claim will be."""


def owe(session: Session, run_id: str, owed: Owed, work_key: str | None = None) -> None:
    """Write a phase's shards as owed; shards that exist already are left alone."""
    ranges = shard_ranges(owed.units, owed.shard_size)
    rows = [
        {
            "run_id": run_id,
            "round": owed.round,
            "name": owed.name,
            "shard": shard,
            "first_unit": first,
            "last_unit": last,
            "units_total": last - first,
            "work_key": f"{work_key}/{first}-{last}" if work_key else None,
        }
        for shard, (first, last) in enumerate(ranges)
    ]
    # In as many statements as it takes: one takes 65,535 values at most.
    session.execute(insert(Phase).on_conflict_do_nothing(), rows)
    facts = {"round": owed.round, "phase": owed.name, "shards": len(rows), "units": owed.units}
    events.append(session, run_id, EventKind.PHASE_OWED, **facts)


def claim_next(
    session: Session,
    names: Collection[PhaseName],
    worker: str,
    lease_s: float,
    run_ids: Collection[str] | None = None,
) -> Claim | None:
    """Claim the oldest shard that is due, of some runs or of all, or return None.

    A shard whose work key is being worked under another run waits: when that one is done, its facts are there.
    """
    oldest = (
        select(Phase.id)
        .join(Run, Run.id == Phase.run_id)
        .where(_is_due(), Phase.name.in_(names), _is_of(run_ids))
        .order_by(Phase.id)
        .limit(1)
        .with_for_update(of=Phase, skip_locked=True)
        .scalar_subquery()
    )
    claimed = _unless_a_twin_runs(
        session,
        update(Phase)
        .where(Phase.id == oldest)
        .values(
            status=ShardStatus.RUNNING,
            attempt=Phase.attempt + 1,
            worker=worker,
            lease_until=_lease_end(lease_s),
            started_at=func.coalesce(Phase.started_at, func.now()),
            error=None,
        )
        .returning(Phase),
    )
    if claimed is None or not _is_run_going(session, claimed):
        return None
    return Claim(
        claimed.id,
        claimed.attempt,
        claimed.run_id,
        claimed.round,
        PhaseName(claimed.name),
        claimed.shard,
        claimed.first_unit,
        claimed.last_unit,
    )


def due(
    session: Session, names: Collection[PhaseName], limit: int, run_ids: Collection[str] | None = None
) -> tuple[DueShard, ...]:
    """Return the oldest shards of some phases that may be claimed now, of some runs or of all."""
    query = (
        select(Phase.run_id, Phase.round, Phase.name, Phase.shard, Phase.attempt + 1)
        .join(Run, Run.id == Phase.run_id)
        .where(_is_due(), Phase.name.in_(names), _is_of(run_ids))
        .order_by(Phase.id)
        .limit(limit)
    )
    return tuple(
        DueShard(run_id, round_, PhaseName(name), shard, attempt)
        for run_id, round_, name, shard, attempt in session.execute(query)
    )


def _is_due():  # a SQLAlchemy clause, for a query that joins the run
    twin = aliased(Phase)
    taken = exists().where(twin.work_key == Phase.work_key, twin.status == ShardStatus.RUNNING)
    return and_(
        Phase.status == ShardStatus.OWED,
        Run.status == RunStatus.RUNNING,
        ~budgets.is_used_up(),
        or_(Phase.work_key.is_(None), ~taken),
    )


def _unless_a_twin_runs(session: Session, claiming: ReturningUpdate[Phase]) -> Phase | None:
    """Claim a shard, if no other transaction has claimed its twin meanwhile, which `_is_due` could not see yet."""
    try:
        with session.begin_nested():
            return session.execute(claiming).scalar_one_or_none()
    except IntegrityError as error:
        if isinstance(error.orig, UniqueViolation):
            return None
        raise


def _is_of(run_ids: Collection[str] | None) -> ColumnElement[bool]:
    # One parameter, however many the runs: a sweep may have thousands of arms.
    return true() if run_ids is None else Phase.run_id == any_(literal(list(run_ids), ARRAY(Text)))


def _is_run_going(session: Session, claimed: Phase) -> bool:
    """Tell whether the run still goes on; the shard is owed again if it was cancelled this very moment."""
    query = select(Run.status).where(Run.id == claimed.run_id).with_for_update(read=True)
    if session.execute(query).scalar_one() == RunStatus.RUNNING:
        return True
    claimed.status, claimed.lease_until, claimed.worker = ShardStatus.OWED, None, None
    return False


def renew(session: Session, claim: Claim, lease_s: float) -> bool:
    """Extend the lease; False if the claim is stale."""
    return _change(session, claim, lease_until=_lease_end(lease_s)) is not None


def fence(session: Session, claim: Claim) -> None:
    """Lock the shard's row for this transaction. Raises `StaleClaim` if the claim is not current."""
    current = session.execute(
        select(Phase.id).where(_is_current(claim)).with_for_update()
    ).scalar_one_or_none()
    if current is None:
        raise StaleClaim(f"{claim.name} of round {claim.round} of run {claim.run_id} is in other hands")


def progress(session: Session, claim: Claim, units_done: int, units_total: int | None = None) -> None:
    """Record how far the shard is; a stale claim changes nothing."""
    values = {"units_done": units_done} | ({} if units_total is None else {"units_total": units_total})
    changed = _change(session, claim, **values)
    if changed is not None:
        done = {"units_done": changed.units_done, "units_total": changed.units_total}
        events.append(session, claim.run_id, EventKind.SHARD_PROGRESS, **_place(claim), **done)


def hand_back(session: Session, claim: Claim, reason: str) -> None:
    """Owe the shard again, at no fault of its own (a worker that stops)."""
    if _change(session, claim, **_OWED_AGAIN):
        events.append(session, claim.run_id, EventKind.SHARD_OWED_AGAIN, **_place(claim), error=reason)


def fail(session: Session, claim: Claim, error: str) -> None:
    """Count a failure: owed again, or given up (and the run with it) after the third."""
    lost = _change(session, claim, failures=Phase.failures + 1, **_loss(error, Phase.failures, MAX_FAILURES))
    if lost is None:
        return
    events.append(session, claim.run_id, _became(lost.status), **_place(claim), error=error)
    _fail_runs(session)


def reap(session: Session) -> int:
    """Owe again the shards whose lease ran out, or give them up after the tenth time; return how many there were.

    A shard whose row is locked is passed over: its worker is writing this very moment, and is waited for by nobody.
    """
    silent = (
        select(Phase.id)
        .where(Phase.status == ShardStatus.RUNNING, Phase.lease_until < func.now())
        .with_for_update(skip_locked=True)
    )
    dead = session.execute(
        update(Phase)
        .where(Phase.id.in_(silent))
        .values(silences=Phase.silences + 1, **_loss(_SILENT, Phase.silences, MAX_SILENCES))
        .returning(Phase.run_id, Phase.round, Phase.name, Phase.shard, Phase.status)
    ).all()
    for run_id, round_, name, shard, status in sorted(dead):
        place = {"round": round_, "phase": name, "shard": shard}
        events.append(session, run_id, _became(status), **place, error=_SILENT)
    if dead:
        _fail_runs(session)
    return len(dead)


def finish(session: Session, claim: Claim) -> bool:
    """Mark the shard done; True if it was the phase's last, so that the caller owes what is next.

    The event locks the run's row before what is left is counted: two last shards finishing together are told apart
    by it.
    """
    fence(session, claim)
    _change(
        session,
        claim,
        status=ShardStatus.DONE,
        lease_until=None,
        finished_at=func.now(),
        units_done=Phase.units_total,
    )
    events.append(session, claim.run_id, EventKind.SHARD_DONE, **_place(claim))
    left = select(func.count()).where(
        Phase.run_id == claim.run_id,
        Phase.round == claim.round,
        Phase.name == claim.name,
        Phase.status.in_(_LEFT),
    )
    return session.execute(left).scalar_one() == 0


def owe_failed_again(session: Session, run_id: str) -> int:
    """Owe a run's given-up shards again, all with clean counts; return how many were given up."""
    of_run = Phase.run_id == run_id
    clean = {"failures": 0, "silences": 0, "owed_at": func.now()}
    session.execute(update(Phase).where(of_run, Phase.status != ShardStatus.DONE).values(**clean))
    changed = session.execute(
        update(Phase)
        .where(of_run, Phase.status == ShardStatus.FAILED)
        .values(status=ShardStatus.OWED)
        .returning(Phase.id)
    ).all()
    return len(changed)


def owe_done_again(session: Session, run_id: str, round_: int, name: PhaseName) -> int:
    """Owe all shards of a phase again, as if new, if all of them are done; return how many there are, or 0 if some are not."""
    of_phase = (Phase.run_id == run_id) & (Phase.round == round_) & (Phase.name == name)
    counted = select(func.count(), func.count().filter(Phase.status != ShardStatus.DONE)).where(of_phase)
    shards, left = session.execute(counted).one()
    if left:
        return 0
    new = {"units_done": 0, "failures": 0, "silences": 0, "started_at": None, "finished_at": None}
    session.execute(update(Phase).where(of_phase).values(**_OWED_AGAIN | new))
    return shards


def is_any_left(session: Session, run_id: str) -> bool:
    """Tell whether a run has shards that are not done."""
    query = select(exists().where(Phase.run_id == run_id, Phase.status.in_(_LEFT)))
    return session.execute(query).scalar_one()


def stop_all(session: Session, run_id: str) -> None:
    """Take a run's shards out of the hands of their workers, whose claims are stale from now on."""
    running = (Phase.run_id == run_id) & (Phase.status == ShardStatus.RUNNING)
    session.execute(update(Phase).where(running).values(**_OWED_AGAIN))


def lock_all(session: Session, run_id: str) -> int:
    """Lock the shards that a run has now, before the run itself is locked; return how many there are."""
    shards = select(Phase.id).where(Phase.run_id == run_id).order_by(Phase.id).with_for_update()
    return len(session.execute(shards).all())


def count(session: Session, run_id: str) -> int:
    """Return how many shards a run has."""
    return session.execute(select(func.count()).where(Phase.run_id == run_id)).scalar_one()


def _is_current(claim: Claim):  # a SQLAlchemy clause
    return and_(
        Phase.id == claim.phase_id, Phase.attempt == claim.attempt, Phase.status == ShardStatus.RUNNING
    )


def _place(claim: Claim) -> dict[str, object]:
    return {"round": claim.round, "phase": claim.name, "shard": claim.shard}


def _change(session: Session, claim: Claim, **values: object) -> Phase | None:
    changed = session.execute(update(Phase).where(_is_current(claim)).values(**values).returning(Phase))
    return changed.scalar_one_or_none()


def _loss(error: str, count: InstrumentedAttribute[int], most: int) -> dict[str, Any]:
    """Return the values of a shard that came to nothing once more: owed again, or given up at `most` times."""
    return _OWED_AGAIN | {
        "status": case((count + 1 >= most, ShardStatus.FAILED.value), else_=ShardStatus.OWED.value),
        "error": error,
    }


def _became(status: str) -> EventKind:
    """Return what is told of a shard that came to nothing, by where it stands now."""
    return EventKind.SHARD_GIVEN_UP if status == ShardStatus.FAILED else EventKind.SHARD_OWED_AGAIN


def _fail_runs(session: Session) -> None:
    failed = session.execute(
        update(Run)
        .where(Run.status == RunStatus.RUNNING, Run.id == Phase.run_id, Phase.status == ShardStatus.FAILED)
        .values(
            status=RunStatus.FAILED,
            error=func.concat(Phase.name, " of round ", Phase.round, ": ", Phase.error),
        )
        .returning(Run.id, Run.error)
        .execution_options(synchronize_session=False)
    ).all()
    for run_id, error in sorted(failed):
        events.append(session, run_id, EventKind.RUN_FAILED, error=error)


def _lease_end(lease_s: float):  # a SQLAlchemy expression
    return func.now() + text(f"interval '{lease_s:f} seconds'")
