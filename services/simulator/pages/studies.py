"""From the database to what a page compares: runs as a study, from what is worked out already.

Who talked and what was said is left out: pages that compare runs don't show it, and it takes long to count.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from services.core.db.runs import RunRecord
from services.core.operations.measured import Measured, MeasuredRound
from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.simulator.report.control import Pair
from services.simulator.report.results import Labels, run_result, study_of_results, with_controls
from services.simulator.report.study import RoundResult, RunResult, Study


def study_of(
    session: Session, measured: Measured, name: str, found: Sequence[tuple[RunRecord, Labels]]
) -> Study:
    """Return runs, each with the fields that set it apart, as a study."""
    complete = measured.complete(session, [run for run, _ in found])

    def paired(pair: Pair) -> Difference:
        before, after = complete[pair.control][pair.round], complete[pair.run][pair.round]
        return measured.change(session, before, after).get("honesty", NO_DIFFERENCE)

    results = [measured_run(run, labels, measured.rounds(session, complete[run.id])) for run, labels in found]
    return with_controls(study_of_results(name, results), paired)


def measured_run(run: RunRecord, labels: Labels, rounds: Sequence[MeasuredRound]) -> RunResult:
    """Return one run, round by round."""
    return run_result(run, labels, [RoundResult(*one) for one in rounds])
