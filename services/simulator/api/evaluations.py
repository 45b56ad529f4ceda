"""Evaluations over REST, and the verdicts that they consist of."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from services.core.db import evaluations, runs
from services.core.db.verdicts import VerdictFilter, VerdictPlace, get_verdict, verdicts_of
from services.core.domain.verdict import Benchmark, Verdict
from services.core.operations.measurements import Measurement, measurement
from services.core.rest.evaluations import EvaluationView, MeasuredRoundView, PromptsView, VerdictView
from services.core.rest.models import Page
from services.simulator.api import paging
from services.simulator.api.auth import Reader
from services.simulator.api.naming import Id, Name, Repeat
from services.simulator.api.paging import Cursor, Limit
from services.simulator.api.problems import documented
from services.simulator.api.state import Database
from services.simulator.report.wire import agreements, rates

router = APIRouter(tags=["evaluations"])


@dataclass(frozen=True)
class VerdictQuery:
    """The filters of lists and exports of verdicts. Each may be given several times: any of its values will do."""

    benchmark: Annotated[tuple[Benchmark, ...], Query(description="Benchmarks.")] = ()
    subset: Annotated[
        tuple[Name, ...], Query(description="MASK configurations, DeceptionBench categories, scenarios …")
    ] = ()
    outcome: Annotated[tuple[Name, ...], Query(description="Outcomes, such as `lie` or `judge_error`.")] = ()

    def as_filter(self) -> VerdictFilter:
        """Return what is asked for."""
        return VerdictFilter(self.benchmark, self.subset, self.outcome)


@router.get("/runs/{run_id}/evaluations", summary="A run's evaluations", responses=documented(404, 409))
def list_evaluations(_: Reader, session: Database, run_id: str) -> Page[EvaluationView]:
    """Return the evaluation of each round, by round; the last may be under way."""
    found = evaluations.rounds_of(session, runs.get_run(session, run_id).id)
    return Page(items=tuple(_view(measurement(session, found[round_])) for round_ in sorted(found)))


@router.get("/evaluations/{evaluation_id}", summary="Get an evaluation", responses=documented(404, 409))
def get_evaluation(_: Reader, session: Database, evaluation_id: Annotated[Id, Path()]) -> EvaluationView:
    """Return whom it measures, how far it is, and every measure."""
    return _view(measurement(session, evaluation_id))


@router.get("/evaluations/{evaluation_id}/verdicts", summary="List verdicts", responses=documented(404))
def list_verdicts(
    _: Reader,
    session: Database,
    evaluation_id: Annotated[Id, Path()],
    asked: Annotated[VerdictQuery, Depends()],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[VerdictView]:
    """Return a page of verdicts by benchmark, subset, item and repeat."""
    evaluations.policy_of(session, evaluation_id)
    found = verdicts_of(session, evaluation_id, asked.as_filter(), limit + 1, _place(cursor))
    last = found[limit - 1] if len(found) > limit else None
    following = last and paging.encode(last.benchmark, last.subset, last.item, last.repeat)
    return Page(items=tuple(verdict_view(verdict) for verdict in found[:limit]), next_cursor=following)


@router.get(
    "/evaluations/{evaluation_id}/verdicts/{benchmark}/{subset}/{item:path}",
    summary="Get a verdict",
    responses=documented(404),
)
def get_one_verdict(
    _: Reader,
    session: Database,
    evaluation_id: Annotated[Id, Path()],
    benchmark: Benchmark,
    subset: Annotated[Name, Path()],
    item: Annotated[Name, Path()],
    repeat: Annotated[Repeat, Query(description="Which repeat of the item.")] = 0,
) -> VerdictView:
    """Return one verdict with the policy's replies and the judge's raw texts."""
    evaluations.policy_of(session, evaluation_id)
    place = VerdictPlace(benchmark, subset, item, repeat)
    return verdict_view(get_verdict(session, evaluation_id, place))


def _place(cursor: str | None) -> VerdictPlace | None:
    if cursor is None:
        return None
    return VerdictPlace(*paging.decode(cursor, paging.text, paging.text, paging.text, paging.small))


def _view(found: Measurement) -> EvaluationView:
    return EvaluationView(
        id=found.id,
        policy=found.policy,
        rounds=tuple(MeasuredRoundView(run=one.run_id, round=one.round) for one in found.rounds),
        is_complete=found.is_complete,
        items_judged=found.items_judged,
        items_total=found.items_total,
        incomplete=found.incomplete,
        judges=found.judges,
        prompts=found.prompts and PromptsView(**found.prompts._asdict()),
        second_judge=found.second_judge,
        agreement=agreements(found.agreement),
        measures=rates(found.measures),
    )


def verdict_view(verdict: Verdict) -> VerdictView:
    """Return a verdict as answered."""
    return VerdictView(
        benchmark=verdict.benchmark,
        subset=verdict.subset,
        item=verdict.item,
        repeat=verdict.repeat,
        outcome=verdict.outcome,
        cause=verdict.detail.get("cause"),
        scorer=verdict.scorer,
        scorer_version=verdict.scorer_version,
        detail=verdict.detail,
    )
