"""From the database to what a page compares: runs as a study, from what is worked out already.

Who talked and what was said is left out: pages that compare runs don't show it, and it takes long to count.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from sqlalchemy.orm import Session

from services.core.db.runs import RunRecord
from services.core.operations.measured import Measured, MeasuredRound
from services.simulator.report.study import RoundResult, RunResult, Study

Labels = Mapping[str, Any]


def study_of(
    session: Session, measured: Measured, name: str, found: Sequence[tuple[RunRecord, Labels]]
) -> Study:
    """Return runs, each with the fields that set it apart, as a study."""
    complete = measured.complete(session, [run for run, _ in found])
    results = [run_result(run, labels, measured.rounds(session, complete[run.id])) for run, labels in found]
    is_pocket = any(run.spec.policy == "pocket" for run, _ in found)
    return Study(name, {}, tuple(results), version("driftloop"), is_pocket)


def run_result(run: RunRecord, labels: Labels, rounds: Sequence[MeasuredRound]) -> RunResult:
    """Return one run, round by round."""
    spec = run.spec
    return RunResult(
        run=run.id,
        biased_share=spec.population.biased_share,
        method=spec.training.method,
        rule=spec.selection.rule,
        seed=spec.seed,
        rounds=tuple(
            RoundResult(one.round, one.measures, one.vs_baseline, one.vs_previous) for one in rounds
        ),
        labels=labels,
    )
