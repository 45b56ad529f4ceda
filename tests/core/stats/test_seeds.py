import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from services.core.stats.paired import NO_DIFFERENCE
from services.core.stats.seeds import across_seeds


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
