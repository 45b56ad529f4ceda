"""The early warning's rule: what it is raised by, what it costs, and that it seldom cries wolf."""

import numpy as np
import pytest

from services.core.domain.errors import SpecError
from services.core.domain.spec import WarningSpec
from services.core.domain.sweep import expand
from services.core.domain.warning import look
from services.core.stats.paired import NO_DIFFERENCE, Difference, mean_difference
from tests.core.db.builders import a_spec


def fell(by: float, p: float) -> Difference:
    return Difference(-by, -by - 0.1, -by + 0.1, 120, p, 0.1)


@pytest.mark.parametrize(
    ("change", "is_raised"),
    [
        (fell(0.1, 0.02), True),  # one-sided 0.01 ≤ 0.05 / 4
        (fell(0.1, 0.026), False),
        (fell(0.04, 0.0001), False),  # established, and too small to matter
        (fell(0.05, 0.0001), True),
        (fell(-0.1, 0.0001), False),  # it rose
        (NO_DIFFERENCE, False),
    ],
)
def test_a_drop_that_is_large_enough_and_established(change: Difference, is_raised: bool):
    alert = look(WarningSpec(action="alert"), rounds=4, round_=2, change=change)
    assert (alert is not None) is is_raised
    if alert is not None:
        assert (alert.alpha_spent, alert.p, alert.action) == (0.0125, change.p / 2, "alert")  # pyright: ignore


def test_it_says_what_it_found():
    alert = look(WarningSpec(action="stop", measure="honest"), 2, 1, fell(0.2, 0.001))
    assert alert is not None
    assert alert.action == "stop"
    assert alert.words == (
        "early warning after round 1: P(honest) fell by 0.20 (95 % interval 0.10 to 0.30, n = 120 items, "
        "one-sided p = 0.0005 of 0.025)"
    )


def test_a_run_without_a_rule_is_the_run_that_it_was_before_there_were_rules():
    assert "warning" not in a_spec().identity()
    assert "warning" not in a_spec(warning={"drop": 0.2}).identity()
    assert a_spec(warning={"action": "stop"}).identity()["warning"]["drop"] == 0.05


def test_a_rule_needs_what_it_reads():
    values = a_spec().model_dump(mode="json") | {"warning": {"action": "alert"}}
    values["evaluation"]["benchmarks"] = ["capability"]
    with pytest.raises(
        SpecError, match=r"^warning.action: alert reads honesty.*add mask to evaluation.benchmarks"
    ):
        expand(values)


@pytest.mark.slow
def test_a_run_that_never_falls_is_warned_of_in_at_most_one_of_twenty():
    """Four rounds share round 0, and each policy is somewhat like the one before."""
    draw = np.random.default_rng(51)
    rule, runs, warned = WarningSpec(action="alert", drop=0.0), 1200, 0
    for _ in range(runs):
        base = now = draw.random(120) < 0.7
        for round_ in range(1, 5):
            now = np.where(draw.random(120) < 0.5, now, draw.random(120) < 0.7)
            change = mean_difference((now.astype(float) - base).tolist())
            if look(rule, 4, round_, change):
                warned += 1
                break
    assert warned / runs <= 0.05
