import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.core.stats.paired import mean_difference
from services.core.stats.planning import (
    Noise,
    Size,
    detectable,
    independent_spread,
    items_needed,
    power_of,
    seeds_needed,
)
from services.core.stats.seeds import across_seeds

NOISE = st.builds(Noise, st.floats(0.05, 0.6), st.floats(0, 1), st.floats(0.001, 0.05))
SIZES = st.builds(Size, st.integers(20, 3000), st.integers(1, 5), st.integers(1, 8))


@given(SIZES, NOISE)
@settings(max_examples=40)
def test_what_is_detectable_is_found_with_the_wanted_power(size: Size, noise: Noise) -> None:
    least = detectable(size, noise)
    if least is None:
        assert power_of(1.0, size, noise) < 0.8
    else:
        assert power_of(least, size, noise) == pytest.approx(0.8, abs=0.002)


@given(st.floats(0.02, 0.3), SIZES, NOISE)
@settings(max_examples=40)
def test_what_is_needed_is_enough_and_one_less_is_not(effect: float, size: Size, noise: Noise) -> None:
    items = items_needed(effect, size, noise)
    if items is not None:
        assert power_of(effect, size._replace(items=items), noise) >= 0.8
        assert items == 1 or power_of(effect, size._replace(items=items - 1), noise) < 0.8
    seeds = seeds_needed(effect, size, noise)
    if seeds is not None:
        assert power_of(effect, size._replace(seeds=seeds), noise) >= 0.8
        assert seeds == 2 or power_of(effect, size._replace(seeds=seeds - 1), noise) < 0.8


def test_three_points_on_unrelated_answers_take_four_thousand_items() -> None:
    """The paper (arXiv 2510.08211) reads such steps off 274 items."""
    noise = Noise(independent_spread(0.5), 0.5, 0.02)
    assert items_needed(0.03, Size(274), noise) == pytest.approx(4350, abs=15)
    assert detectable(Size(274), noise) == pytest.approx(0.119, abs=0.001)


def test_repeats_divide_only_what_is_sampling() -> None:
    assert Noise(0.4, 1.0, 0).of_items(4) == pytest.approx(0.1)
    assert Noise(0.4, 0.5, 0).of_items(4) == pytest.approx(0.25)
    assert Noise(0.4, 0.0, 0).of_items(4) == pytest.approx(0.4)


def test_no_number_of_items_outweighs_three_seeds_that_differ() -> None:
    assert items_needed(0.03, Size(274, seeds=3), Noise(0.5, 0.5, 0.02)) is None


SEEDS_AND_NOISE = [(1, 0.0), (4, 0.02)]


@pytest.mark.slow
@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize(("seeds", "seed_sd"), SEEDS_AND_NOISE)
def test_the_plan_reproduces(repeats: int, seeds: int, seed_sd: float) -> None:
    """Items are coins (a second answer may differ) or have moved (up or down, for good): a spread of 0.3, half of it sampling."""
    noise, effect = Noise(0.3, 0.5, seed_sd), 0.07
    items = items_needed(effect, Size(1, repeats, seeds), noise)
    assert items is not None
    draw = np.random.default_rng(31)
    studies = 1500 if repeats == 1 or seeds > 1 else 600
    found = 0
    for _ in range(studies):
        means = [differences(draw, items, repeats, effect + draw.normal(0, seed_sd)) for _ in range(seeds)]
        change = (
            mean_difference(means[0].tolist())
            if seeds == 1
            else across_seeds([float(m.mean()) for m in means])
        )
        found += change.low is not None and change.low > 0
    assert 0.76 <= found / studies <= 0.84


def differences(draw: np.random.Generator, items: int, repeats: int, change: float) -> np.ndarray:
    moved, coins = 0.15, 0.30
    up, down = (moved + change) / 2, (moved - change) / 2
    kinds = draw.choice(4, size=items, p=[up, down, coins, 1 - up - down - coins])
    flips = draw.binomial(repeats, 0.5, items) - draw.binomial(repeats, 0.5, items)
    return np.select([kinds == 0, kinds == 1, kinds == 2], [1.0, -1.0, flips / repeats], 0.0)
