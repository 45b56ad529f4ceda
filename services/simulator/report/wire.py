"""A study over REST and back: the server writes it, and who fetched it can make tables of it as if it read the database.

Conversations stay behind: a study on the wire has none, and its report is made where they are.
"""

from collections.abc import Mapping
from typing import Any

from services.core.rest.measures import DifferenceView
from services.core.rest.models import RateView
from services.core.rest.studies import Conversations, StudyRound, StudyRun, StudyView
from services.core.stats.paired import Difference
from services.core.stats.rates import Rate
from services.simulator.report.study import Counts, RoundResult, RunResult, Study


def study_view(study: Study) -> StudyView:
    """Return a study as answered."""
    return StudyView(
        name=study.name,
        spec=study.spec,
        version=study.version,
        is_pocket=study.is_pocket,
        runs=tuple(
            StudyRun(
                run=run.run,
                biased_share=run.biased_share,
                method=run.method,
                rule=run.rule,
                seed=run.seed,
                labels=run.labels,
                rounds=tuple(_round_view(result) for result in run.rounds),
            )
            for run in study.runs
        ),
    )


def study_of(view: StudyView) -> Study:
    """Return the study that was answered."""
    runs = (
        RunResult(
            run=run.run,
            biased_share=run.biased_share,
            method=run.method,
            rule=run.rule,
            seed=run.seed,
            labels=run.labels,
            rounds=tuple(_round_of(result) for result in run.rounds),
        )
        for run in view.runs
    )
    return Study(view.name, view.spec, tuple(runs), view.version, view.is_pocket)


def rates(found: Mapping[str, Rate]) -> dict[str, RateView]:
    """Return measures as answered."""
    return {name: RateView(**rate._asdict()) for name, rate in found.items()}


def differences(found: Mapping[str, Difference]) -> dict[str, DifferenceView]:
    """Return changes as answered."""
    return {name: DifferenceView(**change._asdict()) for name, change in found.items()}


def _round_view(result: RoundResult) -> StudyRound:
    counts = result.conversations
    return StudyRound(
        round=result.round,
        measures=rates(result.measures),
        vs_baseline=differences(result.vs_baseline),
        vs_previous=differences(result.vs_previous),
        conversations=counts
        and Conversations(
            attempted=counts.attempted, scored=counts.scored, unscored=counts.unscored, failed=counts.failed
        ),
    )


def _round_of(view: StudyRound) -> RoundResult:
    counts = view.conversations
    return RoundResult(
        view.round,
        {name: Rate(**_fields(rate)) for name, rate in view.measures.items()},
        {name: Difference(**_fields(change)) for name, change in view.vs_baseline.items()},
        {name: Difference(**_fields(change)) for name, change in view.vs_previous.items()},
        counts and Counts(**_fields(counts)),
    )


def _fields(view: RateView | DifferenceView | Conversations) -> dict[str, Any]:
    return view.model_dump()
