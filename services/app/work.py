"""Launching a spec file on the embedded service, and working its runs to the end.

Ctrl-C, a kill or a crash leaves runs that the same command goes on with: everything that is done is in the database.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from services.app.crew import crew
from services.app.service import Service
from services.app.spec_file import read_spec_file
from services.app.wiring import Catalogue
from services.core.db import phases
from services.core.db.session import transaction
from services.core.domain.complaints import naming
from services.core.domain.phases import RunStatus
from services.core.operations import launching, planning
from services.core.operations.launching import LaunchedSweep, NewArm
from services.core.operations.progress import RunProgress, progress_of
from services.core.settings import Settings

POLL_S = 0.2
REAP_EVERY_S = 1.0


def read_arms(settings: Settings, path: Path) -> tuple[NewArm, ...]:
    """Read and check a spec file; nothing is written. Raises `SpecError`."""
    values = read_spec_file(path)
    with naming(path):
        return planning.read_arms(values, Catalogue(settings))


def launch(service: Service, name: str, arms: Sequence[NewArm], again: bool) -> LaunchedSweep:
    """Write the runs that are to be worked."""
    with transaction(service.engine) as session:
        return launching.launch(session, name, arms, again)


def work(
    service: Service, run_ids: Sequence[str], show: Callable[[Sequence[RunProgress]], None]
) -> Mapping[str, RunProgress]:
    """Work these runs (and whatever else is owed meanwhile) until none of them is running; return where they ended.

    `show` is called a few times a second.
    """
    state = _state(service, run_ids)
    if not _is_running(state):
        show(state)
        return {run.run_id: run for run in state}
    with crew(service.settings, service.url) as members:
        reaped = 0.0
        while _is_running(state := _state(service, run_ids)):
            show(state)
            members.tend()
            if time.monotonic() - reaped > REAP_EVERY_S:
                with transaction(service.engine) as session:
                    phases.reap(session)
                reaped = time.monotonic()
            time.sleep(POLL_S)
        show(state)
    return {run.run_id: run for run in state}


def _state(service: Service, run_ids: Sequence[str]) -> tuple[RunProgress, ...]:
    with transaction(service.engine) as session:
        return progress_of(session, run_ids)


def _is_running(state: Sequence[RunProgress]) -> bool:
    return any(run.status is RunStatus.RUNNING for run in state)
