"""The start page: every run, newest first, those of a sweep together, with how honest each is now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from services.core.db import runs, shards, sweeps
from services.core.db.runs import RunRecord
from services.core.db.sweeps import ArmPlace
from services.core.domain.phases import RunStatus
from services.core.operations.measured import HonestyNow, Measured
from services.core.operations.progress import RunProgress, progress_of
from services.simulator.api import paging
from services.simulator.api.auth import Reader
from services.simulator.api.paging import Cursor
from services.simulator.api.state import Database
from services.simulator.pages.look import page
from services.simulator.pages.memory import Memory

router = APIRouter(include_in_schema=False)
_RUNS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class Line:
    """A run in the list."""

    run: RunRecord
    is_worked: bool
    """Whether it runs and some worker has a part of it in hand now."""
    place: ArmPlace | None
    progress: RunProgress | None
    """None for a finished run."""
    honesty: HonestyNow | None
    """None until the base is measured."""


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that belong together: the arms of a sweep, or one run that stands alone."""

    place: ArmPlace | None
    lines: tuple[Line, ...]


@router.get("/")
def show_runs(
    request: Request, caller: Reader, session: Database, measured: Memory, cursor: Cursor = None
) -> Response:
    """Return the list of runs."""
    found = runs.list_runs(session, _RUNS_A_PAGE + 1, paging.moment(cursor))
    last = found[_RUNS_A_PAGE - 1] if len(found) > _RUNS_A_PAGE else None
    lines = tuple(_lines(session, measured, found[:_RUNS_A_PAGE]))
    return page(
        request,
        caller,
        "runs",
        groups=tuple(_groups(lines)),
        is_first=cursor is None,
        is_live=any(line.run.status is RunStatus.RUNNING for line in lines),
        is_told=any(line.run.spec.data.is_told for line in lines),
        is_pocket=any(line.run.spec.policy == "pocket" for line in lines),
        following=paging.encode(last.created_at, last.id) if last else None,
    )


def _lines(session: Session, measured: Measured, found: Sequence[RunRecord]) -> Iterator[Line]:
    ids = [run.id for run in found]
    worked = shards.worked(session, ids)
    places = sweeps.sweeps_of(session, ids)
    honesty = measured.honesty(session, measured.complete(session, found))
    progress = _progress(session, found)
    for run in found:
        yield Line(run, run.id in worked, places.get(run.id), progress.get(run.id), honesty.get(run.id))


def _progress(session: Session, found: Sequence[RunRecord]) -> Mapping[str, RunProgress]:
    unfinished = [run for run in found if run.status is not RunStatus.SUCCEEDED]
    return {item.run_id: item for item in progress_of(session, unfinished)}


def _groups(lines: Sequence[Line]) -> Iterator[Group]:
    def sweep(line: Line) -> str | None:
        return line.place and line.place.sweep_id

    for sweep_id, found in groupby(lines, sweep):
        if sweep_id is None:
            yield from (Group(None, (line,)) for line in found)
        else:
            arms = sorted(found, key=lambda line: line.place.arm if line.place else 0)
            yield Group(arms[0].place, tuple(arms))
