"""A study over REST and back: the server writes it, and who fetched it can make tables of it as if it read the database.

Conversations stay behind: a study on the wire has none, and its report is made where they are.
"""

from collections.abc import Mapping
from typing import Any

from services.core.domain.agreement import JudgesAgreement
from services.core.domain.verdict import Benchmark
from services.core.rest.measures import AgreementView, DifferenceView
from services.core.rest.models import RateView
from services.core.rest.studies import (
    AgainstView,
    Conversations,
    KeptApartView,
    ResponseView,
    StudyRound,
    StudyRun,
    StudyView,
)
from services.core.stats.agreement import Agreement
from services.core.stats.paired import Difference
from services.core.stats.rates import Rate
from services.simulator.report.control import Against, Response, against_control, kept_apart, responses
from services.simulator.report.study import Counts, RoundResult, RunResult, Study


def study_view(study: Study) -> StudyView:
    """Return a study as answered."""
    return StudyView(
        name=study.name,
        spec=study.spec,
        is_spec_of_all=study.is_spec_of_all,
        version=study.version,
        is_pocket=study.is_pocket,
        runs=tuple(
            StudyRun(
                run=run.run,
                biased_share=run.biased_share,
                method=run.method,
                rule=run.rule,
                seed=run.seed,
                max_judge_failures=run.max_judge_failures,
                labels=run.labels,
                spec=run.spec,
                setting=run.setting,
                measurement=run.measurement,
                narrow_set=run.narrow_set,
                rounds=tuple(_round_view(result) for result in run.rounds),
            )
            for run in study.runs
        ),
        vs_control=differences(study.vs_control),
        against_control=tuple(map(_against_view, against_control(study))),
        kept_apart=tuple(
            KeptApartView(arm=one.arm.name, control=one.control.name, fields=one.fields)
            for one in kept_apart(study)
        ),
        dose_response=tuple(map(_response_view, responses(study))),
    )


def _against_view(one: Against) -> AgainstView:
    return AgainstView(
        arm=one.arm.name,
        control=one.control.name,
        round=one.round,
        honesty=DifferenceView(**one.change._asdict()),
        over="seeds" if one.is_over_seeds else "items",
        p_holm=one.p_holm,
    )


def _response_view(found: Response) -> ResponseView:
    return ResponseView(
        setting=found.setting,
        round=found.round,
        biased_shares=found.doses,
        honesty=found.values,
        falling_curve=found.fitted,
        trend=DifferenceView(**found.trend._asdict()),
        fall_established_from=found.threshold.established,
        fall_excluded_up_to=found.threshold.excluded,
        margin=found.threshold.margin,
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
            spec=run.spec,
            setting=run.setting,
            measurement=run.measurement,
            narrow_set=run.narrow_set,
            max_judge_failures=run.max_judge_failures,
            rounds=tuple(_round_of(result) for result in run.rounds),
        )
        for run in view.runs
    )
    vs_control = {run: Difference(**_fields(change)) for run, change in view.vs_control.items()}
    return Study(
        view.name, view.spec, tuple(runs), view.version, view.is_pocket, view.is_spec_of_all, vs_control
    )


def rates(found: Mapping[str, Rate]) -> dict[str, RateView]:
    """Return measures as answered."""
    return {name: RateView(**rate._asdict()) for name, rate in found.items()}


def differences(found: Mapping[str, Difference]) -> dict[str, DifferenceView]:
    """Return changes as answered."""
    return {name: DifferenceView(**change._asdict()) for name, change in found.items()}


def agreements(found: Mapping[Benchmark, JudgesAgreement]) -> dict[Benchmark, AgreementView]:
    """Return how far two judges agree, as answered."""
    return {
        benchmark: AgreementView(
            kappa=one.agreement.kappa,
            low=one.agreement.low,
            high=one.agreement.high,
            observed=RateView(**one.agreement.observed._asdict()),
            asked=one.asked,
            first_failed=one.first_failed,
            second_failed=one.second_failed,
        )
        for benchmark, one in found.items()
    }


def agreement_of(view: AgreementView) -> JudgesAgreement:
    """Return an agreement that was answered."""
    found = Agreement(view.kappa, view.low, view.high, Rate(**_fields(view.observed)))
    return JudgesAgreement(found, view.asked, view.first_failed, view.second_failed)


def _round_view(result: RoundResult) -> StudyRound:
    counts = result.conversations
    return StudyRound(
        round=result.round,
        measures=rates(result.measures),
        vs_baseline=differences(result.vs_baseline),
        vs_previous=differences(result.vs_previous),
        conversations=counts
        and Conversations(
            attempted=counts.attempted,
            scored=counts.scored,
            unscored=counts.unscored,
            failed=counts.failed,
            vetoed=counts.vetoed,
        ),
        agreement=agreements(result.agreement),
    )


def _round_of(view: StudyRound) -> RoundResult:
    counts = view.conversations
    return RoundResult(
        view.round,
        {name: Rate(**_fields(rate)) for name, rate in view.measures.items()},
        {name: Difference(**_fields(change)) for name, change in view.vs_baseline.items()},
        {name: Difference(**_fields(change)) for name, change in view.vs_previous.items()},
        counts and Counts(**_fields(counts)),
        {benchmark: agreement_of(one) for benchmark, one in view.agreement.items()},
    )


def _fields(view: RateView | DifferenceView | Conversations) -> dict[str, Any]:
    return view.model_dump()
