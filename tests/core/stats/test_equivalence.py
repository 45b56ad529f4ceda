import pytest

from services.core.stats.equivalence import is_equivalent
from services.core.stats.paired import Difference, mean_difference


@pytest.mark.parametrize(
    ("low", "high", "is_shown"),
    [(-0.04, 0.02, True), (-0.05, 0.0, False), (0.0, 0.06, False), (-0.2, 0.2, False), (None, None, False)],
)
def test_the_whole_interval_must_be_inside(low: float | None, high: float | None, is_shown: bool) -> None:
    assert is_equivalent(Difference(0.0, low, high, 10, 1.0, None), 0.05) is is_shown


def test_few_items_never_show_that_nothing_moved() -> None:
    assert not is_equivalent(mean_difference([0.0] * 20), 0.05)
    assert is_equivalent(mean_difference([0.0] * 400), 0.05)


@pytest.mark.slow
def test_a_move_of_the_margin_is_called_none_in_at_most_one_study_of_forty() -> None:
    import numpy as np

    draw = np.random.default_rng(22)
    shown = 0
    for _ in range(2000):
        counts = draw.multinomial(300, [0.10, 0.85, 0.05])
        shown += is_equivalent(mean_difference(np.repeat([-1.0, 0.0, 1.0], counts).tolist()), 0.05)
    assert shown / 2000 <= 0.035
