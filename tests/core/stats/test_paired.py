import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from services.core.stats.paired import NO_DIFFERENCE, Difference, mean_difference, paired_difference

ONE_REPEAT = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=60)
REPEATED = st.lists(st.integers(-6, 6).map(lambda x: x / 6), min_size=1, max_size=60)


@given(ONE_REPEAT | REPEATED)
@settings(max_examples=60)
def test_swapping_arms_turns_everything_over(differences: list[float]) -> None:
    there = mean_difference(differences)
    back = mean_difference([-d for d in differences])
    assert (back.difference, back.low, back.high) == pytest.approx(
        (-there.difference, -there.high, -there.low),
        abs=1e-12,  # pyright: ignore
    )
    assert (back.n, back.p, back.detectable) == (there.n, there.p, there.detectable)


@given(ONE_REPEAT | REPEATED)
@settings(max_examples=60)
def test_the_order_of_items_changes_nothing(differences: list[float]) -> None:
    assert mean_difference(random.Random(1).sample(differences, len(differences))) == mean_difference(
        differences
    )


@given(ONE_REPEAT | REPEATED)
@settings(max_examples=60)
def test_the_interval_holds_the_difference_and_is_json_safe(differences: list[float]) -> None:
    found = mean_difference(differences)
    assert found.low <= found.difference <= found.high  # pyright: ignore
    assert 0 < found.p <= 1  # pyright: ignore
    json.dumps(found._asdict(), allow_nan=False)


@given(ONE_REPEAT)
@settings(max_examples=60)
def test_one_repeat_is_the_exact_mcnemar_test(differences: list[float]) -> None:
    up, down = differences.count(1.0), differences.count(-1.0)
    exact = stats.binomtest(up, up + down, 0.5).pvalue if up + down else 1.0
    assert mean_difference(differences).p == pytest.approx(exact)


@pytest.mark.parametrize("n", [1, 10, 40, 1000])
def test_identical_arms_differ_by_nothing_within_what_n_can_tell(n: int) -> None:
    arm = {i: [float(i % 2)] for i in range(n)}
    found = paired_difference(arm, arm)
    assert (found.difference, found.p, found.n) == (0, 1, n)
    # No change seen is not no change: the interval has the width that n earns.
    assert found.low == pytest.approx(-found.high)  # pyright: ignore
    assert 1 / n <= found.high <= min(1, 5 / n)  # pyright: ignore


def test_only_items_valid_in_both_count() -> None:
    before = {"a": [1.0], "b": [1.0], "c": [0.0], "d": []}
    after = {"a": [0.0], "b": [1.0], "d": [1.0], "e": [1.0]}
    found = paired_difference(before, after)
    assert (found.difference, found.n) == (-0.5, 2)


def test_nothing_in_common_is_no_difference() -> None:
    assert (
        paired_difference({"a": [1.0]}, {"b": [1.0]})
        == NO_DIFFERENCE
        == Difference(None, None, None, 0, None, None)
    )


def test_repeats_of_an_item_move_together() -> None:
    """Ten echoes of twenty items are twenty items."""
    before = {i: [float(i % 3 == 0)] for i in range(20)}
    after = {i: [float(i % 2 == 0)] for i in range(20)}
    echoed = [{i: values * 10 for i, values in arm.items()} for arm in (before, after)]
    assert paired_difference(*echoed) == paired_difference(before, after)


def test_the_sign_flip_of_mixed_sizes_agrees_with_the_full_enumeration() -> None:
    differences = [0.5, 0.5, -0.25, 1.0, 0.75, -0.5, 0.25, 0.25, 1.0, 0.5]
    signs = np.array(np.meshgrid(*[[-1, 1]] * 10)).reshape(10, -1)
    sums = np.abs(np.array(differences) @ signs)
    exact = float((sums >= sum(differences) - 1e-9).mean())
    assert mean_difference(differences).p == pytest.approx(exact, abs=0.005)


def test_a_bootstrap_by_hand_agrees() -> None:
    differences = [1.0] * 50 + [-1.0] * 20 + [0.0] * 130
    smoothed = np.array([*differences, 1.0, -1.0])
    means = np.random.default_rng(3).choice(smoothed, size=(10_000, len(smoothed))).mean(axis=1)
    found = mean_difference(differences)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.006)


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 40, 100])
@pytest.mark.parametrize(("up", "down"), [(0.1, 0.1), (0.3, 0.3), (0.1, 0.0), (0.4, 0.05), (0.9, 0.0)])
def test_coverage_and_size(n: int, up: float, down: float) -> None:
    draw = np.random.default_rng(11)
    hits = rejections = 0
    for _ in range(2000):
        counts = draw.multinomial(n, [down, 1 - up - down, up])
        found = mean_difference(np.repeat([-1.0, 0.0, 1.0], counts).tolist())
        hits += found.low - 1e-9 <= up - down <= found.high + 1e-9  # pyright: ignore
        rejections += found.p <= 0.05  # pyright: ignore
    assert hits / 2000 >= 0.91
    if up == down:
        assert rejections / 2000 <= 0.06
