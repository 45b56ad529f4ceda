"""What a figure frames and says: an axis below all that is drawn, and what its intervals are over."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.stats.rates import Rate
from services.simulator.pages.figures import figures
from services.simulator.report.figure import drift_figure
from services.simulator.report.panels import PANELS, bars, domain, points, seeds
from services.simulator.report.study import Arm, arms
from services.simulator.report.table import drift_table
from tests.simulator.studies import run, study, unmeasured

GAP = next(panel for panel in PANELS if panel.is_difference)
GAPS = st.floats(-1, 1).map(lambda gap: Rate(gap, max(-1.0, gap - 0.2), min(1.0, gap + 0.2), 10))


def arm_of(gaps: list[Rate]) -> Arm:
    """Return an arm with a seed a gap."""
    first = run(1.0).rounds[0]
    rounds = [(dataclasses.replace(first, measures={"targeting_gap": gap}),) for gap in gaps]
    return arms(study(*(run(1.0, seed, rounds=one) for seed, one in enumerate(rounds))))[0]


@given(st.lists(GAPS, min_size=1, max_size=3))
def test_the_axis_of_a_difference_reaches_whatever_is_drawn(gaps: list[Rate]):
    shown = [arm_of(gaps)]
    drawn = [*points(GAP, shown), *seeds(GAP, shown)]
    low, high = domain(GAP, drawn)
    assert low in {0, -0.5, -1}
    for row in drawn:
        assert all(low <= row[name] <= high for name in ("low", "value", "high") if row.get(name) is not None)
    spec = figures(shown, 1)["panels"]["targeting_gap"]
    assert spec["encoding"]["y"]["scale"]["domain"] == [low, high]


def test_seeds_that_agree_have_no_interval_and_are_on_the_axis():
    same = Rate(-0.7, -0.9, -0.5, 10)
    shown = arm_of([same, same])
    assert points(GAP, [shown])[0]["low"] is None
    assert domain(GAP, points(GAP, [shown])) == [-1, 1]


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([run(0.0)], "over items, one seed"),
        ([run(0.0), run(1.0, 2)], "over items, one seed an arm"),
        ([run(0.0), run(0.0, 2)], "over seeds"),
        ([run(0.0), run(0.0, 2), run(1.0)], "over seeds, over items where there is one seed"),
        (
            [run(0.0), run(0.0, 2, rounds=run(0.0).rounds[:1])],
            "over seeds, over items where there is one seed",
        ),
    ],
)
def test_what_bars_are_over_is_said(runs: list, said: str):
    shown = study(*runs)
    assert bars(arms(shown)) == f"95 % intervals {said}"
    assert f"Bars: 95 % intervals {said}" in str(drift_figure(shown)["title"])


def test_a_table_s_rows_are_of_one_seed_each():
    for shown in (study(), study(run(0.0), run(0.0, 2)), unmeasured()):
        assert "over items: a row is one seed" in str(drift_table(shown).caption)
