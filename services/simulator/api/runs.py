"""Runs over REST."""

from fastapi import APIRouter

from services.core.db import runs
from services.core.operations.progress import progress_of
from services.core.rest.models import Page, RunSummary, RunView
from services.simulator.api import paging
from services.simulator.api.auth import Reader
from services.simulator.api.paging import Cursor, Limit
from services.simulator.api.problems import documented
from services.simulator.api.state import Database
from services.simulator.api.views import run_summary, run_view

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get("", summary="List runs, newest first", responses=documented())
def list_runs(_: Reader, session: Database, limit: Limit = 50, cursor: Cursor = None) -> Page[RunSummary]:
    """Return a page of runs."""
    before = paging.decode(cursor, paging.time, paging.text) if cursor else None
    found = runs.list_runs(session, limit + 1, before)
    last = found[limit - 1] if len(found) > limit else None
    following = paging.encode(last.created_at, last.id) if last else None
    return Page(items=tuple(run_summary(run) for run in found[:limit]), next_cursor=following)


@router.get("/{run_id}", summary="Get a run", responses=documented(404))
def get_run(_: Reader, session: Database, run_id: str) -> RunView:
    """Return a run by its id, or an unambiguous beginning of it."""
    run = runs.get_run(session, run_id)
    (progress,) = progress_of(session, [run.id])
    return run_view(run, progress)
