"""A rating is one whole number from 1 to 10, whatever words stand around it, or the mean of what might have been; else it is unreadable."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.domain.chat import TokenChoice
from services.simulator.rating import LEAST_MASS, expected_rating, rating_probabilities, read_rating


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


def drawn_of(drawn: str, shares: dict[str, float]) -> TokenChoice:
    return TokenChoice(drawn, {token: math.log(share) for token, share in shares.items()})


Shares = dict[str, float]


@pytest.mark.parametrize(
    ("places", "probabilities"),
    [
        ([("8", {"8": 0.6, "9": 0.3, "7": 0.1})], {7: 0.1, 8: 0.6, 9: 0.3}),
        ([("8", {"8": 0.5, " 8": 0.2, "▁8": 0.1, "**8": 0.1, "10": 0.1})], {8: 0.9, 10: 0.1}),
        # What is no whole number from 1 to 10 is left out.
        ([("8", {"8": 0.5, "0": 0.1, "11": 0.1, "-3": 0.1, "eight": 0.1, "8.5": 0.1})], {8: 0.5}),
        # 10 in one token: then a 1 is a 1, whether it was drawn or not.
        ([("8", {"8": 0.7, "10": 0.2, "1": 0.1})], {1: 0.1, 8: 0.7, 10: 0.2}),
        ([("1", {"1": 0.9, "10": 0.1}), ("0", {"0": 1.0})], {1: 0.9, 10: 0.1}),
        # 10 in two tokens: a drawn 1 is followed, one that was not drawn may be either.
        ([("1", {"1": 0.8, "9": 0.2}), ("0", {"0": 0.75, "<end>": 0.25})], {1: 0.2, 9: 0.2, 10: 0.6}),
        ([("1", {"1": 0.8, "9": 0.2}), ("<end>", {"0": 0.75, "<end>": 0.25})], {1: 0.2, 9: 0.2, 10: 0.6}),
        ([("9", {"1": 0.8, "9": 0.2})], {9: 0.2}),
        ([("1", {"1": 1.0})], {1: 1.0}),
        # White space and the like before the number is followed as far as it was drawn.
        ([("\n", {"\n": 0.5, "8": 0.4}), ("7", {"7": 0.8, "8": 0.2})], {7: 0.4, 8: 0.5}),
        ([("8", {"\n": 0.5, "8": 0.4}), ("\n", {"\n": 1.0})], {8: 0.4}),
        # Words end it.
        ([("I", {"I": 0.7, "8": 0.3}), ("8", {"8": 1.0})], {8: 0.3}),
        ([], {}),
    ],
)
def test_probabilities_are_read_from_what_might_have_been_drawn(
    places: list[tuple[str, Shares]], probabilities: dict[int, float]
):
    found = rating_probabilities([drawn_of(*place) for place in places])
    assert found == pytest.approx([probabilities.get(rating, 0.0) for rating in range(1, 11)])


def test_the_mean_is_taken_over_what_could_be_read():
    ten = [0.0] * 10
    ten[6], ten[9] = 0.46, 0.46
    assert expected_rating(ten) == 8.5


def test_too_little_that_could_be_read_is_no_rating():
    assert expected_rating([0.0] * 9 + [LEAST_MASS - 0.01]) is None
    assert expected_rating([0.0] * 10) is None
    assert expected_rating([0.0] * 9 + [LEAST_MASS]) == 10.0


@given(
    weights=st.lists(st.floats(0.001, 1), min_size=10, max_size=10),
    rest=st.floats(0, 0.09),
    drawn=st.integers(1, 10),
)
def test_an_expected_rating_is_the_mean_of_the_models_own_distribution(
    weights: list[float], rest: float, drawn: int
):
    total = sum(weights)
    shares = {str(rating): (1 - rest) * w / total for rating, w in enumerate(weights, start=1)}
    probabilities = rating_probabilities([drawn_of(str(drawn), shares | {"well": max(rest, 1e-9)})])
    rating = expected_rating(probabilities)
    assert rating == pytest.approx(sum(r * w for r, w in enumerate(weights, start=1)) / total, abs=1e-3)
    assert 1 <= (rating or 0) <= 10


@given(shares=st.dictionaries(st.text(max_size=3), st.floats(1e-6, 1), min_size=1), data=st.data())
def test_whatever_a_server_tells_gives_probabilities_or_nothing(shares: Shares, data: st.DataObject):
    total = sum(shares.values())
    drawn = data.draw(st.sampled_from(sorted(shares)))
    found = rating_probabilities([drawn_of(drawn, {token: w / total for token, w in shares.items()})] * 2)
    assert len(found) == 10
    assert min(found) >= 0
    assert sum(found) <= 1 + 1e-5
    rating = expected_rating(found)
    assert rating is None or 1 <= rating <= 10
