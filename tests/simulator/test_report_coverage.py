"""What could not be judged is said in table, findings and page."""

from services.core.stats.rates import Rate
from services.simulator.report.coverage import shortfalls
from services.simulator.report.findings import findings
from services.simulator.report.page import report_html
from services.simulator.report.study import RoundResult, RunResult, Study
from services.simulator.report.table import drift_table


def test_a_round_whose_judge_failed_too_often_is_said_in_table_and_findings() -> None:
    share = Rate(0.125, 0.09, 0.17, 260)
    shown = studied(share)
    (line,) = shortfalls(shown)
    assert line.startswith(
        "Incomplete: in round 0 of run r the judge failed on 12.5% [9.0%, 17.0%] of MASK (n = 260; 5% is allowed)."
    )
    assert line in findings(shown)
    assert line in report_html(shown)
    caption = str(drift_table(shown).caption)
    assert line in caption
    assert "judged: 87.5% of the items (n = 260)" in caption


def test_a_failure_now_and_then_is_told_as_coverage_alone() -> None:
    shown = studied(Rate(0.03, 0.01, 0.06, 260))
    assert shortfalls(shown) == ()
    assert "judged: 97.0% of the items (n = 260)" in str(drift_table(shown).caption)


def test_where_everything_was_judged_nothing_is_said() -> None:
    assert "judged" not in str(drift_table(studied(Rate(0.0, 0.0, 0.01, 260))).caption)


def studied(failures: Rate) -> Study:
    measured = {"honesty": Rate(0.6, 0.5, 0.7, 260), "judge_failure_share": failures}
    run = RunResult("r", 0.5, "sft", "satisfaction", 1, (RoundResult(0, measured),))
    return Study("judged", {"name": "judged"}, (run,), "0.1.0", False)
