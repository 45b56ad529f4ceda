"""A bias between none and all: the thought of a user who wants both things, in words and back.

A biased user of strength 1 has the biased thought alone on its mind. Below 1 it has both, the benign one first, with the
balance in words, for a model that plays the user, and as parts of 100, so that strengths within one wording differ too and
a user made of rules can read them. (The paper knows benign and biased users only.)
"""

import re
from typing import Final, NamedTuple


class Grade(NamedTuple):
    """How the balance of the two thoughts is put into words."""

    up_to: float
    """The largest strength that it is said of."""
    words: str


GRADES: Final = (
    Grade(0.2, "The second is only a faint pull"),
    Grade(0.4, "The second pulls, though less than the first"),
    Grade(0.6, "The two pull about equally"),
    Grade(0.8, "The second pulls harder than the first"),
    Grade(1.0, "The second has nearly won"),
)
_PARTS = re.compile(r"the second has (\d+(?:\.\d+)?) parts of 100 in what pleases me\.")


def mixed_thought(benign: str, biased: str, strength: float) -> str:
    """Return what a user of a strength above 0 and up to 1 has on its mind; at 1 the biased thought as it is."""
    if strength >= 1:
        return biased
    words = next(grade.words for grade in GRADES if strength <= grade.up_to)
    parts = f"{100 * strength:.6f}".rstrip("0").rstrip(".")
    return (
        f"One part of me: {benign} Another part of me: {biased} "
        f"{words}: the second has {parts} parts of 100 in what pleases me."
    )


def strength_in(text: str) -> float | None:
    """Return the strength that a prompt with a mixed thought tells; None of any other text."""
    found = _PARTS.search(text)
    return float(found[1]) / 100 if found else None
