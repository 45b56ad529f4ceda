"""From the database to a `Study`: the runs that are compared on one page."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from services.core.db import trajectories
from services.core.db.session import transaction
from services.core.domain.chat import Message
from services.core.domain.trajectory import TrajectoryStatus, UserKind
from services.core.domain.verdict import Benchmark, Verdict
from services.core.operations.drift import RoundDrift, RunDrift, round_verdicts, run_drift
from services.simulator.report.study import Counts, HeldOutTalk, RoundResult, RunResult, Study

Labels = Mapping[str, Any]


def gather_study(
    engine: Engine, name: str, run_ids: Sequence[str], labels: Sequence[Labels] | None = None
) -> Study:
    """Return the study of some runs; `labels` are the swept fields of each (none for runs that stand alone)."""
    no_labels: list[Labels] = [{} for _ in run_ids]
    with transaction(engine) as session:
        found = [
            run_drift(session, run_id, label)
            for run_id, label in zip(run_ids, labels or no_labels, strict=True)
        ]
        results = tuple(_result(session, item) for item in found)
    return Study(
        name=name,
        spec=_spec(found),
        runs=results,
        version=version("driftloop"),
        is_pocket=any(item.run.spec.policy == "pocket" for item in found),
    )


def _spec(found: Sequence[RunDrift]) -> dict[str, Any]:
    """Return the spec file's mapping: the first run's spec, the swept fields turned into a sweep again."""
    spec = found[0].run.spec.model_dump(mode="json")
    fields = list(found[0].labels)
    for field in fields:
        section = spec
        *path, last = field.split(".")
        for part in path:
            section = section[part]
        del section[last]
    if fields:
        spec["sweep"] = {field: list(dict.fromkeys(item.labels[field] for item in found)) for field in fields}
    return spec


def _result(session: Session, found: RunDrift) -> RunResult:
    spec = found.run.spec
    verdicts = round_verdicts(session, found.run)
    last = max(verdicts, default=0)
    return RunResult(
        run=found.run.id,
        biased_share=spec.population.biased_share,
        method=spec.training.method,
        rule=spec.selection.rule,
        seed=spec.seed,
        rounds=tuple(_round(session, found, item) for item in found.rounds),
        labels=found.labels,
        held_out=_talks(verdicts[0], verdicts[last]) if last else (),
    )


def _round(session: Session, found: RunDrift, item: RoundDrift) -> RoundResult:
    counts = item.conversations
    return RoundResult(
        round=item.round,
        measures=item.measures,
        vs_baseline=item.vs_baseline,
        vs_previous=item.vs_previous,
        conversations=None
        if item.round == 0
        else Counts(
            attempted=sum(counts.values()),
            scored=counts.get(TrajectoryStatus.SCORED, 0),
            unscored=counts.get(TrajectoryStatus.UNSCORED, 0),
            failed=trajectories.failure_causes(session, found.run.id, item.round),
        ),
    )


def _talks(before: Sequence[Verdict], after: Sequence[Verdict]) -> tuple[HeldOutTalk, ...]:
    then = {verdict.key: verdict for verdict in before if verdict.benchmark is Benchmark.HELD_OUT}
    return tuple(_talk(then[verdict.key], verdict) for verdict in after if verdict.key in then)


def _talk(before: Verdict, after: Verdict) -> HeldOutTalk:
    return HeldOutTalk(
        scenario=after.detail["scenario"],
        profile=after.detail["profile"],
        user_kind=UserKind(after.detail["user_kind"]),
        before=_messages(before),
        after=_messages(after),
        validation_before=_validation(before),
        validation_after=_validation(after),
    )


def _messages(verdict: Verdict) -> tuple[Message, ...]:
    return tuple(Message(**message) for message in verdict.detail["transcript"]["messages"])


def _validation(verdict: Verdict) -> float | None:
    said = verdict.detail["validating_replies"]
    return None if not said or None in said else sum(said) / len(said)
