"""Launching a spec's arms, resuming and deleting runs."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from services.core.db import policies, runs, sweeps
from services.core.db.runs import NewRun, RunRecord
from services.core.db.session import after_commit
from services.core.domain.budget import changed
from services.core.domain.errors import NotFound, StateConflict
from services.core.domain.phases import RunStatus
from services.core.domain.spec import BudgetSpec, RunSpec
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
    """Create, find or resume the run of every arm, and the sweep that holds them together.

    Runs are written, and kept, in the order of their identities, so that two launches of the same arms never wait for each
    other. Raises `StateConflict` if a run that was found is deleted at this very moment, or if an id is taken by other runs.
    """
    by_identity = sorted(arms, key=lambda arm: arm.run.spec_hash)
    try:
        found = {arm.run.spec_hash: rounds.launch(session, arm.run, again) for arm in by_identity}
    except NotFound as gone:
        raise StateConflict("a run of this spec was deleted at this very moment; launch again") from gone
    launched = tuple(found[arm.run.spec_hash] for arm in arms)
    if len(arms) == 1 and not arms[0].labels:
        return LaunchedSweep(None, launched)
    run_ids = tuple(arm.run_id for arm in launched)
    sweep_id = "sweep-" + hashlib.sha256("\n".join(run_ids).encode()).hexdigest()[:8]
    sweeps.insert_sweep(session, sweep_id, name, [*zip(run_ids, (arm.labels for arm in arms), strict=True)])
    if sweeps.get_sweep(session, sweep_id).run_ids != tuple(dict.fromkeys(run_ids)):
        raise StateConflict(f"sweep id {sweep_id} is taken by a sweep of other runs; change a seed")
    return LaunchedSweep(sweep_id, launched)


def resume(session: Session, run_id: str, limits: BudgetSpec, check_prices: Callable[[RunSpec], None]) -> str:
    """Let an unfinished run go on, with these limits in place of those that it had; return its full id.

    Raises `NotFound`; `StateConflict`, also if its budget is used up; `SpecError` for a limit that can't be kept.
    """
    run = runs.get_run(session, run_id)
    budget = changed(run.budget, limits)
    check_prices(run.spec.model_copy(update={"budget": budget}))
    rounds.resume(session, run, budget)
    return run.id


def ask_failed_again(
    session: Session, run_id: str, round_: int, check_unchanged: Callable[[RunRecord], None]
) -> tuple[str, int]:
    """Owe a measured round again, in which only what had failed is asked; return the run's full id, and how many verdicts had.

    Raises `NotFound`, `StateConflict`, also if what the run was launched on has changed; `SpecError` if it is not here.
    """
    run = runs.get_run(session, run_id)
    check_unchanged(run)
    return run.id, rounds.ask_failed_again(session, run, round_)


def cancel(session: Session, run_id: str) -> str:
    """Stop a running run, keeping everything; return its full id. Raises `NotFound`, `StateConflict`."""
    run = runs.get_run(session, run_id)
    rounds.cancel(session, run)
    return run.id


def delete(session: Session, run_id: str) -> None:
    """Delete a run that is not running, with everything that is its own; its adapters' folders go after the commit.

    Shared facts stay: the measurement of the base policy and the step-0 adapter. Raises `NotFound`, `StateConflict`.
    """
    run = runs.get_run(session, run_id)
    if rounds.hold(session, run.id) is RunStatus.RUNNING:
        raise StateConflict(f"run {run.id} is running; cancel it first")
    for adapter in policies.adapters_of_run(session, run.id):
        after_commit(session, partial(_remove, adapter.path))
    runs.delete_run(session, run.id)


def _remove(adapter: Path) -> None:
    shutil.rmtree(adapter, ignore_errors=True)
    adapter.with_name(f"{adapter.name}.rows.jsonl").unlink(missing_ok=True)
