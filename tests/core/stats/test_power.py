import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.stats.paired import mean_difference
from services.core.stats.power import smallest_detectable


@given(st.integers(4, 5000), st.floats(0.001, 1), st.booleans())
def test_more_items_and_less_noise_see_smaller_changes(n: int, spread: float, one_repeat: bool) -> None:
    here = smallest_detectable(n, spread, one_repeat=one_repeat)
    assert here is not None
    assert 0 < here <= 1
    assert smallest_detectable(4 * n, spread, one_repeat=one_repeat) <= here + 1e-9  # pyright: ignore
    assert smallest_detectable(n, spread / 2, one_repeat=one_repeat) <= here + 1e-9  # pyright: ignore


@pytest.mark.parametrize("n", [0, 1, 3])
def test_too_few_items_see_nothing(n: int) -> None:
    assert smallest_detectable(n, 0.2) is None


def test_a_change_brings_its_own_spread() -> None:
    """At one repeat items that change by d on average include a share of at least d that changed."""
    quiet = smallest_detectable(50, 1e-6)
    assert quiet is not None
    assert quiet == pytest.approx(smallest_detectable(50, quiet), rel=1e-3)


def test_the_textbook_case() -> None:
    """Connor (1987): discordance 0.2, difference 0.1, two-sided 5 %, power 80 % takes about 155 pairs."""
    assert smallest_detectable(155, 0.2) == pytest.approx(0.1, abs=0.001)


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 200])
def test_the_interval_finds_a_change_of_that_size_four_times_in_five(n: int) -> None:
    spread = 0.3
    change = smallest_detectable(n, spread)
    assert change is not None
    draw = np.random.default_rng(7)
    found = 0
    for _ in range(1500):
        counts = draw.multinomial(n, [(spread - change) / 2, 1 - spread, (spread + change) / 2])
        found += mean_difference(np.repeat([-1.0, 0.0, 1.0], counts).tolist()).low > 0  # pyright: ignore
    assert 0.74 <= found / 1500 <= 0.86
