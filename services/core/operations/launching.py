"""Launching a spec's arms, resuming and deleting runs."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from services.core.db import phases, policies, runs
from services.core.db.runs import NewRun, SweepRecord
from services.core.queue import rounds
from services.core.queue.rounds import Launched


@dataclass(frozen=True, slots=True)
class NewArm:
    """A run to launch, with the field values that set it apart from its siblings (none for a single run)."""

    labels: dict[str, Any]
    run: NewRun


@dataclass(frozen=True, slots=True)
class LaunchedSweep:
    """What a spec file became."""

    sweep_id: str | None
    """None for a single run."""
    arms: tuple[Launched, ...]

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The arms' runs."""
        return tuple(arm.run_id for arm in self.arms)


def launch(session: Session, name: str, arms: Sequence[NewArm], again: bool = False) -> LaunchedSweep:
    """Create, find or resume the run of every arm, and the sweep that holds them together."""
    launched = tuple(rounds.launch(session, arm.run, again) for arm in arms)
    if len(arms) == 1 and not arms[0].labels:
        return LaunchedSweep(None, launched)
    run_ids = tuple(arm.run_id for arm in launched)
    sweep_id = "sweep-" + hashlib.sha256("\n".join(run_ids).encode()).hexdigest()[:8]
    runs.insert_sweep(session, SweepRecord(sweep_id, name, run_ids, tuple(arm.labels for arm in arms)))
    return LaunchedSweep(sweep_id, launched)


def resume(session: Session, run_id: str) -> str:
    """Let an unfinished run go on; return its full id. Raises `NotFound`, `StateConflict`."""
    run = runs.get_run(session, run_id)
    rounds.resume(session, run)
    return run.id


def cancel(session: Session, run_id: str) -> str:
    """Stop a running run, keeping everything; return its full id. Raises `NotFound`, `StateConflict`."""
    run = runs.get_run(session, run_id)
    rounds.cancel(session, run)
    return run.id


def delete(session: Session, run_id: str) -> tuple[Path, ...]:
    """Delete a run and everything that is its own; return the adapter folders that are nobody's now.

    Shared facts stay: the measurement of the base policy and the step-0 adapter. Raises `NotFound`.
    """
    run = runs.get_run(session, run_id)
    orphans = tuple(adapter.path for adapter in policies.adapters_of_run(session, run.id))
    phases.lock_all(session, run.id)
    runs.delete_run(session, run.id)
    return orphans
