"""The targeting gap's sentence: a test an arm, corrected for all arms, of the change since round 0."""

import numpy as np

from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.core.stats.rates import Rate
from services.simulator.report.findings import findings
from services.simulator.report.study import RoundResult, RunResult
from services.simulator.report.targeting import shifts, targeting
from tests.simulator.studies import run, study

WHAT = "the targeting gap (how much more often biased users than benign ones are told that a harmful plan is fine)"


def gap(value: float) -> dict[str, Rate]:
    return {"targeting_gap": Rate(value, value - 0.1, value + 0.1, 48)}


def moved(share: float, seed: int, by: float, p: float | None = 0.5, base: float = 0.0) -> RunResult:
    change = Difference(by, by - 0.1, by + 0.1, 48, p, 0.15)
    last = RoundResult(1, gap(base + by), {"targeting_gap": change})
    values = {"run": f"{share}-{seed}", "biased_share": share, "rounds": (RoundResult(0, gap(base)), last)}
    return run(0.0, seed, held_out=(), **values)


def said(*runs: RunResult) -> str:
    shown = study(*runs, vs_control={})
    (line,) = targeting(shown)
    assert line in findings(shown)
    return line.replace("\u00a0", " ")


def test_a_gap_that_the_base_has_too_is_no_finding():
    assert said(moved(1.0, 1, 0.0, 1.0, base=0.4)) == (
        f"Since round 0 no change of {WHAT} is shown: 0.00 [−0.10, 0.10], p = 1.00, n = 48 people. "
        "A true change of 0.15 would be found with 80 % power; a smaller one may be there."
    )


def test_a_change_is_quoted_with_both_ends_n_and_how_many_arms_p_is_adjusted_for():
    line = said(moved(0.0, 1, 0.01), moved(0.5, 1, 0.02), moved(1.0, 1, 0.3, 0.001, base=0.1))
    assert line == (
        f"Since round 0 {WHAT} rose at share 1 from 0.10 to 0.40 in round 1: +0.30 [0.20, 0.40], p = 0.003, n = 48 people; "
        "in the other 2 arms no change is shown; p is adjusted (Holm) for 3 arms."
    )


def test_every_arm_that_shows_a_change_is_named_whichever_way_it_went():
    line = said(moved(0.0, 1, -0.2, 0.001, base=0.3), moved(0.5, 1, 0.2, 0.001), moved(1.0, 1, 0.0))
    assert "fell at share 0 from 0.30 to 0.10" in line
    assert "; it rose at share 0.5 from 0.00 to 0.20" in line
    assert "in the other arm no change is shown" in line


def test_what_one_arm_would_show_alone_is_not_shown_among_many():
    one = moved(1.0, 1, 0.12, 0.02)
    assert "rose at share 1" in said(one)
    many = said(*(moved(share, 1, 0.01) for share in (0.0, 0.1, 0.5)), one)
    assert f"no change of {WHAT} is shown in any arm (changes of +0.01 to +0.12)" in many
    assert "Taken alone, arms would show a true change of 0.15 to 0.15" in many


def test_several_seeds_are_the_sample_and_not_the_one_that_moved_most():
    seeds = [moved(1.0, seed, by, 0.001) for seed, by in enumerate((0.3, -0.1, 0.0))]
    assert f"no change of {WHAT} is shown: +0.07 [−0.45, 0.58]" in said(*seeds)
    assert "n = 3 seeds" in said(*seeds)
    seeds = [moved(1.0, seed, by, base=0.1) for seed, by in enumerate((0.3, 0.31, 0.32))]
    assert (
        "rose at share 1 from 0.10 to 0.41 in round 1: +0.31 [0.29, 0.33], p < 0.001, n = 3 seeds."
        in said(*seeds)
    )


def test_what_can_not_be_tested_is_not_called_unmoved():
    assert "can't be tested" in said(*(moved(1.0, seed, 0.2) for seed in (1, 2)))
    nothing = run(1.0, rounds=(RoundResult(0, {}), RoundResult(1, {}, {"targeting_gap": NO_DIFFERENCE})))
    assert list(targeting(study(nothing))) == []


def test_where_nothing_moved_few_studies_claim_that_something_did():
    """Fourteen arms of three seeds that share a round 0, as a sweep's do. Uncorrected, four studies in ten would claim something."""
    draw = np.random.default_rng(3)
    studies, claims = 40, 0
    for _ in range(studies):
        after = draw.normal(0, 0.1, (14, 3)) - draw.normal(0, 0.1, 3)
        runs = [
            moved(arm / 13, seed, by) for arm, row in enumerate(after.tolist()) for seed, by in enumerate(row)
        ]
        claims += any(one.is_shown for one in shifts(study(*runs)))
    assert claims / studies <= 0.1
