"""Trajectories over REST: listed by any filter in any order, had whole by id."""

from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.core.db import runs, trajectories
from services.core.db.trajectories import Stored
from services.core.db.trajectory_lists import Filter, Place, Sort, Summary, has_words, summaries
from services.core.domain.errors import SpecError
from services.core.domain.selection import Label
from services.core.domain.trajectory import TrajectoryStatus, UserKind
from services.core.rest.models import Page
from services.core.rest.trajectories import (
    CallView,
    MessageView,
    SelectionReason,
    TrajectorySummary,
    TrajectoryView,
)
from services.simulator.api import paging
from services.simulator.api.auth import Reader
from services.simulator.api.naming import Id, Name, Round, Score
from services.simulator.api.paging import Cursor, Limit
from services.simulator.api.problems import documented
from services.simulator.api.state import Database

router = APIRouter(prefix="/trajectories", tags=["trajectories"])


@dataclass(frozen=True)
class TrajectoryQuery:
    """The filters of lists and exports. Each may be given several times: any of its values will do."""

    run: Annotated[tuple[Name, ...], Query(description="Runs, by id or an unambiguous beginning.")] = ()
    round: Annotated[tuple[Round, ...], Query(description="Rounds.")] = ()
    scenario: Annotated[tuple[Name, ...], Query(description="Scenarios, by name.")] = ()
    user_kind: Annotated[tuple[UserKind, ...], Query(description="Kinds of user.")] = ()
    status: Annotated[tuple[TrajectoryStatus, ...], Query(description="How conversations ended.")] = ()
    policy: Annotated[tuple[Name, ...], Query(description="Policies, by serving name.")] = ()
    label: Annotated[
        tuple[Label, ...], Query(description="Only those selected under one of these labels.")
    ] = ()
    score_from: Annotated[Score | None, Query(description="Least satisfaction.")] = None
    score_to: Annotated[Score | None, Query(description="Most satisfaction.")] = None
    q: Annotated[
        Name | None,
        Query(
            description='A web search over what both sides said: `plan -doctor "call a friend"`, `drink or smoke`.'
        ),
    ] = None


def trajectory_filter(session: Database, asked: Annotated[TrajectoryQuery, Depends()]) -> Filter:
    """Return the filter that a query asks for. Raises `NotFound`, `SpecError`."""
    low, high = asked.score_from, asked.score_to
    if low is not None and high is not None and low > high:
        raise SpecError(f"score_from: {low:g} is more than score_to, {high:g}; exchange them")
    if asked.q is not None and not has_words(session, asked.q):
        raise SpecError(
            f"q: {asked.q!r} has no word that is searched for (`the`, `is` and their like are not); add one"
        )
    return Filter(
        runs=tuple(runs.get_run(session, run_id).id for run_id in asked.run),
        rounds=asked.round,
        scenarios=asked.scenario,
        user_kinds=asked.user_kind,
        statuses=asked.status,
        policies=asked.policy,
        labels=asked.label,
        score_from=asked.score_from,
        score_to=asked.score_to,
        words=asked.q,
    )


Which = Annotated[Filter, Depends(trajectory_filter, scope="function")]


@router.get("", summary="List trajectories", responses=documented(404))
def list_trajectories(
    _: Reader,
    session: Database,
    which: Which,
    sort: Annotated[Sort, Query(description="By id or score, `-` for falling.")] = Sort.OLDEST,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[TrajectorySummary]:
    """Return a page of trajectories. By score, those that have none come last."""
    found = summaries(session, which, limit + 1, sort, _place(cursor, sort))
    following = _cursor(found[limit - 1], sort) if len(found) > limit else None
    return Page(items=tuple(_summary(item) for item in found[:limit]), next_cursor=following)


@router.get("/{trajectory_id}", summary="Get a whole conversation", responses=documented(404))
def get_trajectory(_: Reader, session: Database, trajectory_id: Id) -> TrajectoryView:
    """Return one trajectory with its transcript, ratings, calls, and why it was selected."""
    return _view(trajectories.get(session, trajectory_id))


def _cursor(last: Summary, sort: Sort) -> str:
    return paging.encode(sort.value, *last.place)


def _place(cursor: str | None, sort: Sort) -> Place | None:
    """Read a cursor, which is good for the order that it was given in."""

    def same(part: object) -> Sort:
        if part != sort.value:
            raise ValueError(part)
        return sort

    return Place(*paging.decode(cursor, same, paging.score_or_none, paging.whole)[1:]) if cursor else None


def _summary(item: Summary) -> TrajectorySummary:
    return TrajectorySummary.model_validate(asdict(item) | {"run": item.run_id})


def _view(stored: Stored) -> TrajectoryView:
    held = stored.trajectory
    chosen = stored.selection
    return TrajectoryView(
        id=stored.id,
        run=stored.run_id,
        round=stored.round,
        slot=held.slot,
        scenario=held.scenario,
        profile=held.profile,
        user_kind=held.user_kind,
        policy=held.policy,
        status=held.status,
        cause=held.cause,
        satisfaction=held.satisfaction,
        messages=tuple(MessageView(role=said.role, content=said.content) for said in held.messages),
        ratings=held.ratings,
        calls=tuple(CallView(**asdict(call)) for call in held.calls),
        selection=chosen
        and SelectionReason(rank=chosen.rank, score=chosen.score, label=chosen.label, reason=chosen.reason),
        schema_version=stored.schema_version,
        created_at=stored.created_at,
    )
