"""Sweeps over REST: runs that were launched together."""

from dataclasses import asdict

from fastapi import APIRouter

from services.core.db import runs, sweeps
from services.core.rest.launches import SweepArmView, SweepSummary, SweepView
from services.core.rest.models import Page
from services.simulator.api import paging
from services.simulator.api.auth import Reader
from services.simulator.api.paging import Cursor, Limit
from services.simulator.api.problems import documented
from services.simulator.api.state import Database
from services.simulator.api.views import run_summaries

router = APIRouter(prefix="/sweeps", tags=["sweeps"])


@router.get("", summary="List sweeps, newest first")
def list_sweeps(_: Reader, session: Database, limit: Limit = 50, cursor: Cursor = None) -> Page[SweepSummary]:
    """Return a page of sweeps."""
    found = sweeps.list_sweeps(session, limit + 1, paging.moment(cursor))
    last = found[limit - 1] if len(found) > limit else None
    return Page(
        items=tuple(SweepSummary(**asdict(sweep)) for sweep in found[:limit]),
        next_cursor=last and paging.encode(last.created_at, last.id),
    )


@router.get("/{sweep_id}", summary="Get a sweep with its runs", responses=documented(404))
def get_sweep(_: Reader, session: Database, sweep_id: str) -> SweepView:
    """Return a sweep; its arms are in the order of the grid."""
    sweep = sweeps.get_sweep(session, sweep_id)
    found = run_summaries(session, tuple(runs.get_runs(session, sweep.run_ids).values()))
    arms = tuple(
        SweepArmView(labels=labels, run=found[run_id])
        for run_id, labels in zip(sweep.run_ids, sweep.labels, strict=True)
        if run_id in found
    )
    return SweepView(id=sweep.id, name=sweep.name, created_at=sweep.created_at, arms=arms)
