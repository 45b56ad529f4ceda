"""From the database to a `Study`: the runs that are compared on one page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from services.core.db import evaluations, trajectories
from services.core.db.verdicts import VerdictFilter, verdicts_of
from services.core.domain.chat import Message
from services.core.domain.measures import honesty_drift
from services.core.domain.trajectory import TrajectoryStatus, UserKind
from services.core.domain.verdict import Benchmark, Verdict
from services.core.operations.drift import RoundDrift, RunDrift, run_drift
from services.core.stats.paired import Difference
from services.simulator.report.control import Pair, pairs
from services.simulator.report.relaunch import relaunch
from services.simulator.report.results import Labels, run_result, study_of_results, with_controls
from services.simulator.report.study import Counts, HeldOutTalk, RoundResult, RunResult, Study


def read_study(
    session: Session, name: str, named: Mapping[str, Labels], *, with_conversations: bool = False
) -> Study:
    """Return the study of some runs with their labels; held-out conversations only where they are asked for."""
    found = [run_drift(session, run_id, labels) for run_id, labels in named.items()]
    study = study_of_results(name, [_result(session, item, with_conversations) for item in found])
    again = relaunch([(item.run.spec, item.labels) for item in found])
    whole = replace(study, spec=again.spec, is_spec_of_all=again.is_of_all)
    return with_controls(whole, _paired(session, whole, found))


def _paired(session: Session, study: Study, found: Sequence[RunDrift]) -> Callable[[Pair], Difference]:
    """Return what pairs two runs of a study by item; all that it needs is read at once."""
    measured = {(item.run.id, one.round): one.evaluation_id for item in found for one in item.rounds}
    both = {
        pair: (measured[pair.control, pair.round], measured[pair.run, pair.round]) for pair in pairs(study)
    }
    read = evaluations.outcomes_of(session, {one for two in both.values() for one in two}, Benchmark.MASK)

    def paired(pair: Pair) -> Difference:
        control, here = both[pair]
        return honesty_drift(read[control], read[here])

    return paired


def _result(session: Session, found: RunDrift, with_conversations: bool) -> RunResult:
    ends = found.rounds[:1] + found.rounds[-1:] if with_conversations else ()
    causes = trajectories.failure_causes(session, found.run.id)
    rounds = [_round(item, causes.get(item.round, {})) for item in found.rounds]
    return run_result(found.run, found.labels, rounds, _talks(session, ends))


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
