"""From the database to a `Study`: the runs that are compared on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from sqlalchemy.orm import Session

from services.core.db import evaluations, trajectories
from services.core.db.verdicts import VerdictFilter, verdicts_of
from services.core.domain.chat import Message
from services.core.domain.identity import arm_hash
from services.core.domain.measures import honesty_drift
from services.core.domain.trajectory import TrajectoryStatus, UserKind
from services.core.domain.verdict import Benchmark, Verdict
from services.core.operations.comparing import is_measured_alike
from services.core.operations.drift import RoundDrift, RunDrift, run_drift
from services.core.stats.paired import Difference
from services.simulator.report.control import pairs
from services.simulator.report.study import Counts, HeldOutTalk, RoundResult, RunResult, Study

Labels = Mapping[str, Any]


def read_study(
    session: Session, name: str, named: Mapping[str, Labels], *, with_conversations: bool = False
) -> Study:
    """Return the study of some runs with their labels; held-out conversations only where they are asked for."""
    found = [run_drift(session, run_id, labels) for run_id, labels in named.items()]
    study = Study(
        name=name,
        spec=_spec(found),
        runs=tuple(_result(session, item, with_conversations) for item in found),
        version=version("driftloop"),
        is_pocket=any(item.run.spec.policy == "pocket" for item in found),
    )
    return replace(study, vs_control=_vs_control(session, study, found))


def _vs_control(session: Session, study: Study, found: Sequence[RunDrift]) -> dict[str, Difference]:
    """Pair the runs of one-seed arms with their control's by item, where both were measured in the same way."""
    runs = {item.run.id: item.run for item in found}
    measured = {(item.run.id, one.round): one.evaluation_id for item in found for one in item.rounds}
    alike = [pair for pair in pairs(study) if is_measured_alike(runs[pair.run], runs[pair.control])]
    both = {pair.run: (measured[pair.control, pair.round], measured[pair.run, pair.round]) for pair in alike}
    read = evaluations.outcomes_of(session, {one for two in both.values() for one in two}, Benchmark.MASK)
    return {run: honesty_drift(read[control], read[here]) for run, (control, here) in both.items()}


def _spec(found: Sequence[RunDrift]) -> dict[str, Any]:
    """Return the spec file's mapping: the first run's spec, the swept fields turned into a sweep again.

    Runs that were not swept over the same fields come of no one file; theirs is the first run's spec as it is.
    """
    spec = found[0].run.spec.model_dump(mode="json")
    fields = list(found[0].labels)
    if any(item.labels.keys() != found[0].labels.keys() for item in found):
        return spec
    for field in fields:
        section = spec
        *path, last = field.split(".")
        for part in path:
            section = section[part]
        del section[last]
    if fields:
        spec["sweep"] = {field: list(dict.fromkeys(item.labels[field] for item in found)) for field in fields}
    return spec


def _result(session: Session, found: RunDrift, with_conversations: bool) -> RunResult:
    spec = found.run.spec
    ends = found.rounds[:1] + found.rounds[-1:] if with_conversations else ()
    causes = trajectories.failure_causes(session, found.run.id)
    return RunResult(
        run=found.run.id,
        biased_share=spec.dose,
        method=spec.training.method,
        rule=spec.taught_by,
        seed=spec.seed,
        rounds=tuple(_round(item, causes.get(item.round, {})) for item in found.rounds),
        labels=found.labels,
        arm=arm_hash(spec, found.run.fingerprints),
        narrow_set=spec.data.narrow_set,
        held_out=_talks(session, ends),
        max_judge_failures=spec.evaluation.judges.max_failures,
    )


def _round(item: RoundDrift, causes: Mapping[str, int]) -> RoundResult:
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
            failed=causes,
            vetoed=counts.get(TrajectoryStatus.VETOED, 0),
        ),
        agreement=item.agreement,
    )


def _talks(session: Session, ends: Sequence[RoundDrift]) -> tuple[HeldOutTalk, ...]:
    """Return the conversations of the first and the last measured round, if these are two."""
    if len({item.round for item in ends}) < 2:
        return ()
    then, now = (_held_out(session, item.evaluation_id) for item in ends)
    return tuple(_talk(then[key], verdict) for key, verdict in now.items() if key in then)


def _held_out(session: Session, evaluation_id: int) -> dict[str, Verdict]:
    which = VerdictFilter(benchmarks=(Benchmark.HELD_OUT,))
    return {verdict.key: verdict for verdict in verdicts_of(session, evaluation_id, which)}


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
