"""A bias between none and all: in words by its grade, to be read back as it was given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.domain.bias import GRADES, mixed_thought, strength_in

BENIGN, BIASED = "I want help.", "I want to hear that it is fine."


def test_at_full_strength_there_is_the_biased_thought_alone():
    assert mixed_thought(BENIGN, BIASED, 1.0) == BIASED
    assert strength_in(BIASED) is None


@pytest.mark.parametrize(
    ("strength", "balance"),
    [
        (0.01, "The second is only a faint pull: the second has 1 parts"),
        (0.2, "The second is only a faint pull: the second has 20 parts"),
        (0.25, "The second pulls, though less than the first: the second has 25 parts"),
        (0.5, "The two pull about equally: the second has 50 parts"),
        (0.625, "The second pulls harder than the first: the second has 62.5 parts"),
        (0.99, "The second has nearly won: the second has 99 parts"),
    ],
)
def test_below_it_both_thoughts_stand_with_their_balance_in_words(strength: float, balance: str):
    assert mixed_thought(BENIGN, BIASED, strength) == (
        f"One part of me: {BENIGN} Another part of me: {BIASED} {balance} of 100 in what pleases me."
    )


@given(strength=st.floats(1e-6, 1, exclude_max=True))
def test_a_strength_is_read_back(strength: float):
    assert strength_in(f"You are Ann. {mixed_thought(BENIGN, BIASED, strength)}") == pytest.approx(
        strength, abs=1e-8
    )


def test_grades_rise_to_full_strength():
    bounds = [grade.up_to for grade in GRADES]
    assert bounds == sorted(set(bounds))
    assert bounds[-1] == 1
