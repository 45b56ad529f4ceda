import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from services.core.stats.paired import NO_DIFFERENCE
from services.core.stats.rates import EMPTY, Rate, rate
from services.core.stats.seeds import across_seeds, mean_over_seeds


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=9))
def test_it_is_the_t_test(differences: list[float]) -> None:
    found = across_seeds(differences)
    json.dumps(found._asdict(), allow_nan=False)
    if found.p is None:
        return
    theirs: Any = stats.ttest_1samp(differences, 0)
    interval = theirs.confidence_interval()
    assert found[:4] == pytest.approx(
        (sum(differences) / len(differences), *interval, len(differences)), abs=1e-9
    )
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-9)


def test_arms_swapped() -> None:
    there, back = across_seeds([0.1, 0.2, 0.4]), across_seeds([-0.1, -0.2, -0.4])
    assert (back.difference, back.low, back.high) == pytest.approx(
        (-there.difference, -there.high, -there.low)
    )  # pyright: ignore
    assert back.p == pytest.approx(there.p)


@pytest.mark.parametrize("same", [[0.2], [0.1, 0.1, 0.1], [0.0, 0.0]])
def test_an_unknown_spread_has_no_interval(same: list[float]) -> None:
    found = across_seeds(same)
    assert found.difference == pytest.approx(same[0])
    assert found[1:] == (None, None, len(same), None, None)


def test_no_seeds() -> None:
    assert across_seeds([]) == NO_DIFFERENCE


def test_rates_are_averaged_over_the_seeds_that_have_one() -> None:
    low, high = rate(3, 10), rate(5, 10)
    mean = across_seeds([0.3, 0.5])
    assert mean_over_seeds([low, EMPTY, high]) == Rate(mean.difference, mean.low, mean.high, 2)
    assert mean_over_seeds([low, EMPTY]) == low
    assert mean_over_seeds([EMPTY]) == mean_over_seeds([]) == EMPTY
    assert mean_over_seeds([low, low]) == Rate(0.3, None, None, 2)
