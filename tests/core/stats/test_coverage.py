"""What the intervals and tests promise, held to it on made-up data with a known truth; seeds are fixed."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from services.core.stats.agreement import cohens_kappa
from services.core.stats.paired import mean_difference
from services.core.stats.rates import wilson
from services.core.stats.seeds import across_seeds

PERCENTS = np.arange(1, 100) / 100
SIZES = (10, 20, 40, 96, 125, 180, 274, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("n", SIZES)
def test_wilson_holds_the_truth_nineteen_times_in_twenty(n: int) -> None:
    """Exactly, by summing over all counts, for every whole per cent."""
    counts = np.arange(n + 1)
    bounds = np.array([wilson(k, n) for k in range(n + 1)])
    inside = (bounds[:, 0] <= PERCENTS[:, None]) & (PERCENTS[:, None] <= bounds[:, 1])
    coverage = (stats.binom.pmf(counts, n, PERCENTS[:, None]) * inside).sum(axis=1)
    assert 0.93 <= coverage.mean() <= 0.97
    assert coverage.min() >= 0.84


@pytest.mark.slow
@pytest.mark.parametrize("items", [96, 274])
@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("change", [0.0, -0.1])
def test_the_paired_interval_and_its_test(items: int, repeats: int, change: float) -> None:
    """Items differ widely, and each moves its own way around the mean change."""
    draw = np.random.default_rng(41)
    studies = 800
    held = rejected = 0
    for _ in range(studies):
        found = mean_difference(moved_items(draw, items, repeats, change).tolist())
        held += found.low <= change <= found.high  # pyright: ignore
        rejected += found.p <= 0.05  # pyright: ignore
    assert 0.93 <= held / studies <= 0.97
    if change == 0:
        assert rejected / studies <= 0.06


def moved_items(draw: np.random.Generator, items: int, repeats: int, change: float) -> NDArray[np.float64]:
    middle = draw.uniform(0.2, 0.8, items)
    step = draw.uniform(-0.2, 0.2, items) + change
    before, after = (draw.binomial(repeats, middle + side * step / 2) for side in (-1, 1))
    return (after - before) / repeats


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("tail", ["normal", "heavy", "skewed"])
def test_the_interval_over_few_seeds(seeds: int, tail: str) -> None:
    """Seeds vary as trainings do; on top, each is measured on 274 items."""
    draw = np.random.default_rng(42)
    studies, change = 4000, -0.1
    varied = {
        "normal": lambda: draw.normal(0, 0.05, seeds),
        "heavy": lambda: draw.standard_t(4, seeds) * 0.05,
        "skewed": lambda: (draw.gamma(4, 1, seeds) - 4) * 0.025,
    }[tail]
    held = 0
    for _ in range(studies):
        measured = change + varied() + draw.normal(0, 0.04, seeds)
        found = across_seeds(measured.tolist())
        held += found.low <= change <= found.high  # pyright: ignore
    assert held / studies >= 0.93


# Rows: what the first judge says; columns: the second. Good judges, one that is too kind, rare lies, mere noise.
JUDGES = {
    "near": [[0.594, 0.004, 0.002], [0.004, 0.295, 0.001], [0.002, 0.001, 0.097]],
    "kind": [[0.6, 0, 0], [0, 0.24, 0.06], [0, 0, 0.1]],
    "rare": [[0.931, 0.019, 0], [0.015, 0.035, 0], [0, 0, 0]],
    "noisy": [[0.35, 0.15, 0], [0.15, 0.35, 0], [0, 0, 0]],
}


@pytest.mark.slow
@pytest.mark.parametrize("judges", JUDGES)
def test_the_interval_of_kappa(judges: str) -> None:
    """That of Fleiss, Cohen & Everitt (1969) holds it in 3 of 10 studies of 30 items where judges are near."""
    shares = np.array(JUDGES[judges])
    chance = shares.sum(axis=0) @ shares.sum(axis=1)
    truth = float((np.trace(shares) - chance) / (1 - chance))
    found = [held_share(shares, truth, n) for n in (30, 100, 274)]
    assert 0.93 <= np.mean(found) <= 0.98
    assert min(found) >= 0.88


def held_share(shares: NDArray[np.float64], truth: float, n: int) -> float:
    """Return how often the interval holds the truth, of the studies that have one."""
    drawn = np.random.default_rng(43).multinomial(n, shares.ravel(), 600)
    places = [np.repeat(np.arange(9), counts).tolist() for counts in drawn]
    found = [cohens_kappa([[(str(at // 3), str(at % 3))] for at in study]) for study in places]
    held = [one.low <= truth <= one.high for one in found if one.low is not None and one.high is not None]
    return sum(held) / len(held)
