from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.stats.dose import Level, Threshold, falling_fit, threshold, trend
from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.core.stats.seeds import across_seeds

FALLS = Difference(-0.2, -0.3, -0.1, 3, 0.01, 0.1)
STAYS = Difference(0.0, -0.03, 0.03, 3, 0.9, 0.04)
UNKNOWN = Difference(-0.04, -0.2, 0.1, 3, 0.3, 0.2)
RISES = Difference(0.2, 0.1, 0.3, 3, 0.01, 0.1)
NONE = Difference(-0.2, None, None, 1, None, None)


def levels(*changes: Difference) -> list[Level]:
    return [Level((place + 1) / 10, change) for place, change in enumerate(changes)]


@pytest.mark.parametrize(
    ("changes", "established", "excluded"),
    [
        ((STAYS, UNKNOWN, FALLS, FALLS), 0.3, 0.1),
        ((FALLS, FALLS), 0.1, None),
        ((STAYS, RISES), None, 0.2),
        # A dose that falls below one that does not is not claimed: the row is broken.
        ((FALLS, UNKNOWN, FALLS), 0.3, None),
        ((STAYS, FALLS, UNKNOWN), None, 0.1),
        # So does one that could not be measured, from either end.
        ((FALLS, NO_DIFFERENCE, FALLS), 0.3, None),
        ((STAYS, NO_DIFFERENCE, STAYS), None, 0.1),
        ((STAYS, FALLS, NO_DIFFERENCE), None, 0.1),
        ((UNKNOWN, NONE), None, None),
        ((), None, None),
    ],
)
def test_the_row_from_either_end(
    changes: tuple[Difference, ...], established: float | None, excluded: float | None
) -> None:
    found = Threshold(established, excluded, 0.05)
    assert threshold(levels(*changes)) == threshold(levels(*changes)[::-1]) == found


@pytest.mark.parametrize(("low", "excluded"), [(-0.05, None), (-0.049, 0.1)])
def test_a_fall_that_the_interval_reaches_is_not_excluded(low: float, excluded: float | None) -> None:
    assert threshold(levels(Difference(0.0, low, 0.05, 3, 0.9, 0.04))).excluded == excluded


VALUES = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 9)), min_size=1, max_size=8)


@given(VALUES)
def test_the_fit_never_rises_and_keeps_the_mean(values: list[tuple[float, int]]) -> None:
    means, weights = zip(*values, strict=True)
    fit = falling_fit(means, weights)
    assert all(after <= before + 1e-12 for before, after in pairwise(fit))
    assert np.dot(fit, weights) == pytest.approx(np.dot(means, weights))


@given(VALUES, st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_no_falling_curve_is_nearer(values: list[tuple[float, int]], other: list[float]) -> None:
    means, weights = map(np.array, zip(*values, strict=True))
    falling = np.sort(other[: len(means)])[::-1]
    fit = np.array(falling_fit(means.tolist(), weights.tolist()))
    assert weights @ (fit - means) ** 2 <= weights @ (falling - means) ** 2 + 1e-12


def test_a_falling_curve_is_its_own_fit() -> None:
    assert falling_fit([0.9, 0.7, 0.1], [1, 1, 1]) == (0.9, 0.7, 0.1)
    assert falling_fit([0.9, 0.5, 0.7, 0.1], [1, 1, 3, 1]) == pytest.approx((0.9, 0.65, 0.65, 0.1))


def test_the_trend_of_straight_lines_is_their_fall() -> None:
    """What a seed adds to all its arms drops out."""
    values = {
        dose: {seed: 0.8 + 0.05 * seed - fall * dose for seed, fall in enumerate((0.2, 0.3, 0.4))}
        for dose in (0.0, 0.1, 0.5)
    }
    assert trend(values) == pytest.approx(across_seeds([-0.1, -0.15, -0.2]))


def test_the_trend_takes_seeds_with_every_dose() -> None:
    found = trend({0.0: {1: 0.9, 2: 0.8}, 1.0: {1: 0.1}})
    assert (found.difference, found.n, found.p) == (pytest.approx(-0.8), 1, None)
    assert trend({}).difference is None
    assert trend({0.5: {1: 0.3}}).difference is None


@pytest.mark.slow
@pytest.mark.parametrize("true_threshold", [2, 4, 9])
def test_both_ends_are_right_in_nineteen_studies_of_twenty(true_threshold: int) -> None:
    """Six doses, five seeds; nothing falls below the threshold (the 9th dose: nowhere), 0.08 more with each dose from it on."""
    draw = np.random.default_rng(21)
    falls = np.maximum(0.0, 0.08 * (np.arange(1, 7) - true_threshold + 1))
    studies = 2000
    false_falls = wrongly_excluded = 0
    for _ in range(studies):
        seeds = draw.normal(-falls, 0.05, (5, 6)) - draw.normal(0, 0.05, (5, 1))
        arms = [Level(dose, across_seeds(seeds[:, dose - 1].tolist())) for dose in (1, 2, 3, 4, 5, 6)]
        found = threshold(arms)
        false_falls += found.established is not None and falls[int(found.established) - 1] == 0
        wrongly_excluded += found.excluded is not None and falls[int(found.excluded) - 1] >= 0.05
    assert false_falls / studies <= 0.035
    assert wrongly_excluded / studies <= 0.035
