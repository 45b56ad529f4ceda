import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from services.core.stats.proportions import count_of, two_proportions
from services.core.stats.rates import rate

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, COUNTS)
def test_it_is_the_chi_squared_test_without_correction(
    before: tuple[int, int], after: tuple[int, int]
) -> None:
    found = two_proportions(before, after)
    assert found.before == rate(*before)
    assert found.after == rate(*after)
    table = [[k, n - k] for k, n in (before, after)]
    together = before[0] + after[0]
    if 0 < together < before[1] + after[1]:
        theirs = stats.chi2_contingency(table, correction=False)[1]
        assert found.p == pytest.approx(theirs, rel=1e-6, abs=1e-12)
    else:
        assert found.p == 1


@given(COUNTS)
def test_a_count_comes_back_from_its_percentage(count: tuple[int, int]) -> None:
    k, n = count
    found = count_of(round(100 * k / n, 2), n, 0.0051)
    assert found is not None
    assert found[0] / found[1] == pytest.approx(k / n, abs=1e-4)


def test_the_largest_n_that_fits() -> None:
    assert count_of(20.0, 16, 0.01) == (3, 15)
    assert count_of(23.25, 43, 0.01) == (10, 43)  # cut, not rounded
    assert count_of(19.79, 20, 0.01) is None
