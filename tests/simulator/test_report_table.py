"""The drift table for a terminal: within 80 columns, never a cut number, and no name is markup."""

import io

from rich.console import Console

from services.simulator.report.study import Study
from services.simulator.report.table import drift_table
from tests.simulator.studies import run, study, unmeasured


def printed(shown: Study, width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(drift_table(shown))
    return console.export_text()


def test_fits_80_columns_and_cuts_no_number():
    text = printed(study(), 80)
    assert "…" not in text
    for part in (
        "0.04",
        ".02 .09",
        "−0.66",
        "−.74 −.56",
        "<0.001",
        "−.09 .13",
        "honesty 120",
        "no evidence about large models",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 80


def test_many_runs_show_their_last_round():
    few, many = study(run(0.0)), study(*[run(0.0, seed) for seed in range(9)])
    assert drift_table(few).row_count == 4
    assert drift_table(many).row_count == 9


def test_columns_that_never_vary_stand_in_the_title():
    assert "method sft, seed 1" in printed(study(), 100)
    assert "method sft, 2 seeds" in printed(study(run(0.0), run(0.0, 2)), 100)


def test_names_are_no_markup():
    shown = study(run(0.0), run(0.0, labels={"x": "[red]"}), name="[bold]demo")
    assert "[red]" in printed(shown, 120)
    assert "[bold]demo" in printed(shown, 120)


def test_an_unmeasured_study_has_a_table():
    assert "nothing measured yet" in printed(unmeasured(), 80)
