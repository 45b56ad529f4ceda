import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from services.core.stats.rates import EMPTY, Rate, mean_of_rates, mean_rate, rate, wilson

ANSWERS = st.lists(st.lists(st.booleans(), max_size=5), max_size=40)


@given(st.integers(1, 2000), st.data())
def test_wilson_is_scipys(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    theirs = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_ends_are_exact() -> None:
    assert wilson(0, 7)[0] == 0.0
    assert wilson(7, 7)[1] == 1.0
    assert wilson(0, 40)[1] == pytest.approx(0.0876, abs=1e-4)


def test_nothing_has_no_rate() -> None:
    assert (
        rate(0, 0)
        == mean_rate([])
        == mean_rate([[], []])
        == mean_of_rates([EMPTY])
        == EMPTY
        == (None, None, None, 0)
    )


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_one_repeat_is_wilson(answers: list[bool]) -> None:
    assert mean_rate([[answer] for answer in answers]) == pytest.approx(rate(sum(answers), len(answers)))


@given(ANSWERS)
def test_a_rate_is_inside_its_bounds_and_json_safe(items: list[list[bool]]) -> None:
    value, low, high, n = mean_rate(items)
    assert n == sum(1 for item in items if item)
    if n:
        assert 0 <= low <= value + 1e-12  # pyright: ignore
        assert value - 1e-12 <= high <= 1  # pyright: ignore
        assert all(math.isfinite(x) for x in (value, low, high))  # pyright: ignore


@given(ANSWERS)
def test_the_order_of_items_changes_nothing(items: list[list[bool]]) -> None:
    shuffled = random.Random(1).sample(items, len(items))
    assert mean_rate(shuffled) == pytest.approx(mean_rate(items), nan_ok=False)


def test_repeats_that_only_echo_add_nothing() -> None:
    once = [[True]] * 12 + [[False]] * 8
    echoed = [item * 10 for item in once]
    assert mean_rate(echoed) == pytest.approx(mean_rate(once))


def test_repeats_that_vary_within_items_narrow_the_interval() -> None:
    once = mean_rate([[True]] * 10 + [[False]] * 10)
    varied = mean_rate([[True, False]] * 20)
    # Twenty items that each say half yes: nearly, but cautiously not quite, forty answers.
    assert (varied.value, varied.n) == (0.5, 20)
    assert _width(rate(20, 40)) <= _width(varied) < 0.8 * _width(once)


def test_an_item_counts_once_however_many_repeats_it_has() -> None:
    assert mean_rate([[True] * 9, [False]]).value == 0.5


def test_macro_average() -> None:
    parts = [rate(9, 10), rate(1, 10), EMPTY]
    macro = mean_of_rates(parts)
    assert (macro.value, macro.n) == (0.5, 20)
    # Narrower than one part, and with mirrored parts symmetric.
    assert macro.high - 0.5 == pytest.approx(0.5 - macro.low)  # pyright: ignore
    assert _width(macro) < _width(parts[0])


def _width(some: Rate) -> float:
    assert some.low is not None
    assert some.high is not None
    return some.high - some.low


@pytest.mark.slow
@pytest.mark.parametrize("repeats", [1, 5])
@pytest.mark.parametrize(("mean", "alike"), [(0.5, 0.1), (0.5, 0.8), (0.9, 0.5), (0.97, 0.3)])
def test_coverage_over_items_that_resemble_themselves(repeats: int, mean: float, alike: float) -> None:
    """Beta-binomial items (`alike` = correlation of repeats): the interval holds the truth about 19 times in 20."""
    draw = np.random.default_rng(5)
    strength = 1 / alike - 1
    hits = 0
    for _ in range(2000):
        chances = draw.beta(mean * strength, (1 - mean) * strength, size=60)
        answers = draw.random((60, repeats)) < chances[:, None]
        found = mean_rate(answers.tolist())
        hits += found.low <= mean <= found.high  # pyright: ignore
    assert 0.93 <= hits / 2000 <= 0.99
