"""Sweeps in the database: runs that were launched together, each with the field values that set it apart."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.core.db.tables import Run, Sweep, SweepArm
from services.core.domain.errors import NotFound
from services.core.domain.phases import RunStatus


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """A sweep's arms: run ids with the labels that set them apart."""

    id: str
    name: str
    created_at: datetime
    run_ids: tuple[str, ...]
    labels: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class SweepCounts:
    """A sweep in a list: how many of its runs stand where."""

    id: str
    name: str
    created_at: datetime
    runs: Mapping[RunStatus, int]


class ArmPlace(NamedTuple):
    """Where a run stands in a sweep."""

    sweep_id: str
    sweep_name: str
    arm: int
    labels: dict[str, Any]


def insert_sweep(
    session: Session, sweep_id: str, name: str, arms: Sequence[tuple[str, dict[str, Any]]]
) -> None:
    """Write a sweep and its arms (run id, labels); an existing sweep is left as it is."""
    session.execute(insert(Sweep).values(id=sweep_id, name=name).on_conflict_do_nothing())
    rows = [
        {"sweep_id": sweep_id, "arm": arm, "run_id": run_id, "labels": labels}
        for arm, (run_id, labels) in enumerate(arms)
    ]
    session.execute(insert(SweepArm).values(rows).on_conflict_do_nothing())


def find_sweep(session: Session, sweep_id: str) -> SweepRecord | None:
    """Return a sweep, or None."""
    sweep = session.get(Sweep, sweep_id)
    if sweep is None:
        return None
    query = select(SweepArm).where(SweepArm.sweep_id == sweep_id).order_by(SweepArm.arm)
    arms: Sequence[SweepArm] = session.execute(query).scalars().all()
    return SweepRecord(
        sweep.id,
        sweep.name,
        sweep.created_at,
        tuple(arm.run_id for arm in arms),
        tuple(arm.labels for arm in arms),
    )


def get_sweep(session: Session, sweep_id: str) -> SweepRecord:
    """Return a sweep. Raises `NotFound`."""
    found = find_sweep(session, sweep_id)
    if found is None:
        raise NotFound(f"there is no sweep {sweep_id!r}; GET /v1/sweeps lists those that exist")
    return found


def sweeps_of(session: Session, run_ids: Collection[str]) -> Mapping[str, ArmPlace]:
    """Return where runs stand in a sweep, each in the newest that it is an arm of; runs that stand alone are left out."""
    query = (
        select(SweepArm.run_id, SweepArm.sweep_id, Sweep.name, SweepArm.arm, SweepArm.labels)
        .join(Sweep, Sweep.id == SweepArm.sweep_id)
        .where(SweepArm.run_id.in_(run_ids))
        .order_by(Sweep.created_at, Sweep.id)
    )
    return {row[0]: ArmPlace(row[1], row[2], row[3], row[4]) for row in session.execute(query)}


def list_sweeps(
    session: Session, limit: int, before: tuple[datetime, str] | None = None
) -> tuple[SweepCounts, ...]:
    """Return sweeps, newest first: at most `limit`, and only those that follow the key (created_at, id) `before`."""
    query = select(Sweep).order_by(Sweep.created_at.desc(), Sweep.id.desc()).limit(limit)
    if before is not None:
        query = query.where(tuple_(Sweep.created_at, Sweep.id) < tuple_(*before))
    found = session.execute(query).scalars().all()
    counts = _counts(session, [sweep.id for sweep in found])
    return tuple(SweepCounts(sweep.id, sweep.name, sweep.created_at, counts[sweep.id]) for sweep in found)


def _counts(session: Session, sweep_ids: Collection[str]) -> Mapping[str, Mapping[RunStatus, int]]:
    query = (
        select(SweepArm.sweep_id, Run.status, func.count())
        .join(Run, Run.id == SweepArm.run_id)
        .where(SweepArm.sweep_id.in_(sweep_ids))
        .group_by(SweepArm.sweep_id, Run.status)
    )
    found: dict[str, dict[RunStatus, int]] = {sweep_id: {} for sweep_id in sweep_ids}
    for sweep_id, status, count in session.execute(query):
        found[sweep_id][RunStatus(status)] = count
    return found
