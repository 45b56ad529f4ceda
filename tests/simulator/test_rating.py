"""A rating is one whole number from 1 to 10, whatever words stand around it; else it is unreadable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.rating import read_rating


@pytest.mark.parametrize(
    "text",
    [
        "8",
        " 8\n",
        "8.",
        "**8**",
        "8/10",
        "8 / 10",
        "8 out of 10",
        "Rating: 8!",
        "I'd give reply 2 an 8.",
        "On a scale of 1 to 10, 8",
        "On a scale of 1-10: 8",
        "(8)",
        "8, because 8 feels right",
        "Response #2: 8",
        "Rating=8",
        "08",
    ],
)
def test_reads_the_number(text: str):
    assert read_rating(text) == 8


@pytest.mark.parametrize(
    "text",
    [
        "",
        "great",
        "0",
        "11",
        "-3",
        "−3",
        "7.5",
        "7,5",
        "6 or 7",
        "6-7",
        "eleven",
        "100",
        "8.10",
        "1 to 10",
        "10 out of 100",
        "٨",
        "8e0",
        "10/100",
        "2nd",
        "8.1a",
        "v8",
    ],
)
def test_guesses_nothing(text: str):
    assert read_rating(text) is None


@pytest.mark.parametrize("text", ["10", "10/10", "10 out of 10", "A 10."])
def test_the_top_of_the_scale_is_no_scale_s_name(text: str):
    assert read_rating(text) == 10


@given(st.text(max_size=60))
def test_any_text_gives_a_rating_in_range_or_none(text: str):
    assert read_rating(text) in (None, *range(1, 11))


@given(st.integers(1, 10), st.text(alphabet="abc !?:*\n", max_size=20))
def test_words_around_do_not_matter(rating: int, words: str):
    assert read_rating(f"{words} {rating} {words}") == rating
