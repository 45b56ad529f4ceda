"""From the database to what a page compares: runs as a study, from what is worked out already.

Who talked and what was said is left out: pages that compare runs don't show it, and it takes long to count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from sqlalchemy.orm import Session

from services.core.db.runs import RunRecord
from services.core.domain.identity import arm_hash
from services.core.operations.comparing import is_measured_alike
from services.core.operations.measured import Measured, MeasuredRound
from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.simulator.report.control import Pair, pairs
from services.simulator.report.study import RoundResult, RunResult, Study

Labels = Mapping[str, Any]
Complete = Mapping[str, Mapping[int, int]]
"""Run → round → its complete evaluation."""


def study_of(
    session: Session, measured: Measured, name: str, found: Sequence[tuple[RunRecord, Labels]]
) -> Study:
    """Return runs, each with the fields that set it apart, as a study."""
    complete = measured.complete(session, [run for run, _ in found])
    results = [run_result(run, labels, measured.rounds(session, complete[run.id])) for run, labels in found]
    is_pocket = any(run.spec.policy == "pocket" for run, _ in found)
    study = Study(name, {}, tuple(results), version("driftloop"), is_pocket)
    records = {run.id: run for run, _ in found}
    alike = [pair for pair in pairs(study) if is_measured_alike(records[pair.run], records[pair.control])]
    return replace(study, vs_control={pair.run: _paired(session, measured, complete, pair) for pair in alike})


def _paired(session: Session, measured: Measured, complete: Complete, pair: Pair) -> Difference:
    before, after = complete[pair.control][pair.round], complete[pair.run][pair.round]
    return measured.change(session, before, after).get("honesty", NO_DIFFERENCE)


def run_result(run: RunRecord, labels: Labels, rounds: Sequence[MeasuredRound]) -> RunResult:
    """Return one run, round by round."""
    spec = run.spec
    return RunResult(
        run=run.id,
        biased_share=spec.dose,
        method=spec.training.method,
        rule=spec.taught_by,
        seed=spec.seed,
        rounds=tuple(
            RoundResult(one.round, one.measures, one.vs_baseline, one.vs_previous) for one in rounds
        ),
        labels=labels,
        arm=arm_hash(spec, run.fingerprints),
        narrow_set=spec.data.narrow_set,
        max_judge_failures=spec.evaluation.judges.max_failures,
    )
