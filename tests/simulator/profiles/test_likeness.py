"""Ten words in a row are the same person told again, whatever stands around them; fewer are not."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.simulator.profiles.likeness import ALIKE_WORDS, Likeness

WORD = st.text("abcdefghij", min_size=1, max_size=6)
WORDS = st.lists(WORD, max_size=30)
CALM = settings(deadline=None)


def said(who: str, *texts: str) -> Likeness:
    likeness = Likeness()
    likeness.add(who, *texts)
    return likeness


@CALM
@given(st.lists(WORD, min_size=ALIKE_WORDS, max_size=20), WORDS, WORDS, WORDS, WORDS)
def test_a_shared_run_is_found_whatever_stands_around_it(
    run: list[str], before: list[str], after: list[str], other_before: list[str], other_after: list[str]
) -> None:
    first = said("ann", "something else", " ".join([*before, *run, *after]))
    loud = ", ".join(word.upper() for word in [*other_before, *run, *other_after])
    echo = first.echo("bob", loud + "!")
    assert echo is not None
    assert echo.who == "ann"
    assert echo.words in " ".join([*before, *run, *after])


@CALM
@given(st.lists(WORD, min_size=1, max_size=60), st.lists(WORD, min_size=1, max_size=60))
def test_what_shares_fewer_words_in_a_row_is_somebody_else(one: list[str], other: list[str]) -> None:
    shares = any(
        one[at : at + ALIKE_WORDS] == other[start : start + ALIKE_WORDS]
        for at in range(len(one) - ALIKE_WORDS + 1)
        for start in range(len(other) - ALIKE_WORDS + 1)
    ) or (one == other and len(one) < ALIKE_WORDS)
    assert (said("ann", " ".join(one)).echo("bob", " ".join(other)) is not None) == shares


def test_nobody_is_their_own_double() -> None:
    text = "The shutters jammed again and I stood there with wet sleeves, saying nothing."
    assert said("ann", text).echo("ann", text) is None
    assert said("ann", text).echo("bob", text) is not None


def test_a_text_of_few_words_counts_as_a_whole() -> None:
    assert said("ann", "It rains again.").echo("bob", "it rains, again") is not None
    assert said("ann", "It rains again.").echo("bob", "It rains again today.") is None
