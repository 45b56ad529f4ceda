"""The figure along the share: a line for every setting, a control as a mark at its share, nothing where one share was run."""

from services.simulator.report.dose_figure import dose_figure
from tests.simulator.studies import HONESTY, run, study


def test_every_setting_is_drawn_at_its_shares_in_the_last_round() -> None:
    figure = dose_figure(
        study(run(0.0), run(1.0), run(0.0, method="kto"), run(1.0, method="kto"), run(1.0, rule="random"))
    )
    assert figure is not None
    (values,) = (layer["values"] for layer in [figure["data"]])
    found = {(row["setting"], row["share"]): round(row["value"], 2) for row in values}
    last = {share: round(HONESTY[share][-1], 2) for share in (0.0, 1.0)}
    assert found == {
        ("sft, satisfaction", "0"): last[0.0],
        ("sft, satisfaction", "1"): last[1.0],
        ("kto, satisfaction", "0"): last[0.0],
        ("kto, satisfaction", "1"): last[1.0],
        ("sft, random", "1"): last[1.0],
    }
    assert all(row["low"] < row["value"] < row["high"] for row in values)


def test_one_share_has_no_figure() -> None:
    assert dose_figure(study(run(1.0), run(1.0, rule="random"))) is None
