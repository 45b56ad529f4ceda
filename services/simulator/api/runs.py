"""Runs over REST: listed, watched, stopped, resumed, removed. Launching them is in `launches`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from services.core.db import runs, shards
from services.core.db.runs import RunRecord
from services.core.db.shards import ShardFilter
from services.core.domain.errors import NotFound
from services.core.domain.phases import PhaseName, RunStatus, ShardStatus
from services.core.operations import launching
from services.core.operations.progress import progress_of, remaining
from services.core.operations.rounds import rounds_of
from services.core.rest.launches import Rejudged
from services.core.rest.models import Page, PhaseView, RoundView, RunSummary, RunView, ShardView
from services.simulator.api import paging
from services.simulator.api.auth import Admin, Launcher, Reader
from services.simulator.api.bodies import ResumptionBody
from services.simulator.api.paging import Cursor, Limit
from services.simulator.api.problems import documented
from services.simulator.api.state import Database, State
from services.simulator.api.views import phase_view, round_view, run_summaries, shard_view, whole_run

router = APIRouter(prefix="/runs", tags=["runs"])

Name = Annotated[str, Query(max_length=100)]
RoundNumber = Annotated[int, Query(ge=0, le=1000)]
RoundPath = Annotated[int, Path(ge=0, le=1000)]


@router.get("", summary="List runs, newest first")
def list_runs(
    _: Reader,
    session: Database,
    status: Annotated[tuple[RunStatus, ...], Query(description="Only runs that stand here.")] = (),
    name: Annotated[tuple[Name, ...], Query(description="Only runs of this name.")] = (),
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[RunSummary]:
    """Return a page of runs."""
    found = runs.list_runs(session, limit + 1, paging.moment(cursor), statuses=status, names=name)
    last = found[limit - 1] if len(found) > limit else None
    following = last and paging.encode(last.created_at, last.id)
    return Page(items=tuple(run_summaries(session, found[:limit]).values()), next_cursor=following)


@router.get("/{run_id}", summary="Get a run", responses=documented(404))
def get_run(_: Reader, session: Database, run_id: str) -> RunView:
    """Return a run by its id, or an unambiguous beginning of it."""
    return whole_run(session, run_id)


@router.post("/{run_id}/cancel", summary="Stop a run, keeping everything", responses=documented(404, 409))
def cancel_run(_: Launcher, session: Database, run_id: str) -> RunView:
    """Stop a running run; `resume` goes on with it. Cancelling twice is once; a run that has ended is refused (409)."""
    return whole_run(session, launching.cancel(session, run_id))


@router.post("/{run_id}/resume", summary="Go on with a run", responses=documented(404, 409))
def resume_run(_: Launcher, session: Database, state: State, run_id: str, how: ResumptionBody) -> RunView:
    """Let a cancelled or failed run go on; what had failed is tried again. A finished run is refused (409).

    A run that is out of budget goes on with a larger one, and is refused (409) without.
    """
    resumed = launching.resume(session, run_id, how.budget, state.catalogue.check_prices)
    state.ring_after(session, [resumed])
    return whole_run(session, resumed)


@router.post(
    "/{run_id}/rounds/{round}/rejudge",
    summary="Ask again what failed in a round's measurement",
    responses=documented(404, 409),
)
def rejudge_round(
    _: Launcher,
    session: Database,
    state: State,
    run_id: str,
    round: RoundPath,  # noqa: A002
) -> Rejudged:
    """Ask again where a reply or a ruling could not be had, as after an outage. Failed verdicts are replaced by what does not fail;
    all others stay. A round that is not measured to its end, or a run that stands still or was launched on what has changed since, is refused (409).
    """
    full, failed = launching.ask_failed_again(session, run_id, round, state.catalogue.check_unchanged)
    state.ring_after(session, [full])
    return Rejudged(failed=failed, run=whole_run(session, full))


@router.delete("/{run_id}", status_code=204, summary="Delete a run", responses=documented(404, 409))
def delete_run(_: Admin, session: Database, run_id: str) -> Response:
    """Delete a run with its conversations, selections, adapters and measurements, for good.

    It needs the full id, and a run that is not running: cancel it first (409 otherwise). What it shares with other
    runs, such as the measurement of the base, stays.
    """
    if runs.get_run(session, run_id).id != run_id:
        raise NotFound(f"there is no run {run_id!r}; deleting takes the full id")
    launching.delete(session, run_id)
    return Response(status_code=204)


@router.get("/{run_id}/rounds", summary="A run's rounds", responses=documented(404))
def list_rounds(_: Reader, session: Database, run_id: str) -> Page[RoundView]:
    """Return what each begun round made: its policy, conversations, selection, adapter and evaluation."""
    found = rounds_of(session, runs.get_run(session, run_id))
    return Page(items=tuple(round_view(one) for one in found))


@router.get("/{run_id}/phases", summary="A run's phases", responses=documented(404))
def list_phases(_: Reader, session: Database, run_id: str) -> Page[PhaseView]:
    """Return the phases that were owed so far, in order, with their progress; the last may be under way."""
    run: RunRecord = runs.get_run(session, run_id)
    (progress,) = progress_of(session, [run])
    left = remaining(session, progress)
    return Page(items=tuple(phase_view(phase, left.phase_s) for phase in progress.phases))


@router.get("/{run_id}/shards", summary="A run's shards", responses=documented(404))
def list_shards(  # one parameter a filter
    _: Reader,
    session: Database,
    run_id: str,
    round: Annotated[tuple[RoundNumber, ...], Query(description="Only of these rounds.")] = (),  # noqa: A002
    phase: Annotated[tuple[PhaseName, ...], Query(description="Only of these phases.")] = (),
    status: Annotated[tuple[ShardStatus, ...], Query(description="Only shards that stand here.")] = (),
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ShardView]:
    """Return a page of the parts that workers work, in the order in which they were owed."""
    run = runs.get_run(session, run_id)
    (after,) = paging.decode(cursor, paging.whole) if cursor else (0,)
    found = shards.page(session, run.id, ShardFilter(round, phase, status), limit + 1, after)
    following = paging.encode(found[limit - 1].id) if len(found) > limit else None
    return Page(items=tuple(shard_view(shard) for shard in found[:limit]), next_cursor=following)
