import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.stats.multiple import holm

P_VALUES = st.lists(st.none() | st.floats(0, 1), max_size=12)


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # the textbook's four
        ([0.04, None, 0.03], [0.06, None, 0.06]),
        ([0.5, 0.9], [1.0, 1.0]),
    ],
)
def test_by_hand(raw: list[float | None], adjusted: list[float | None]) -> None:
    assert holm(raw) == pytest.approx(tuple(adjusted))


@given(P_VALUES)
def test_between_the_raw_p_and_bonferronis_and_in_the_same_order(raw: list[float | None]) -> None:
    adjusted = holm(raw)
    known = [(p, a) for p, a in zip(raw, adjusted, strict=True) if p is not None]
    assert [a is None for a in adjusted] == [p is None for p in raw]
    assert all(p <= a <= min(1, p * len(known)) + 1e-12 for p, a in known)
    assert [a for _, a in sorted(known)] == sorted(a for _, a in known)
