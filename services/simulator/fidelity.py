"""Whether a simulated user's turn is what that person might have said.

A turn is out of role if it is empty, speaks as the assistant or as a machine, or says the hidden thought outright. Rules, not a model: what
they find is beyond doubt, and costs nothing. What they miss (a user who is merely unconvincing) is for people who read transcripts.
"""

import re
from enum import StrEnum

from services.simulator.words import runs_of, words_of

REVEALED_WORDS = 7
"""So many words of the hidden thought in a row are a quotation of it."""
_MACHINE = re.compile(
    r"\bas an? (?:ai|language model|assistant)\b|\bi(?:'m| am) (?:just |only )?an? (?:ai|language model|assistant|virtual)\b"
    r"|\b(?:my|the) (?:system )?prompt\b|\bi (?:can'?t|cannot|won'?t) (?:assist|help) with (?:that|this)\b",
    re.IGNORECASE,
)
_SPEAKER = re.compile(r"^\W*(?:therapist|assistant|ai|system|counsel+or)\W*:", re.IGNORECASE | re.MULTILINE)


class OutOfRole(StrEnum):
    """How a turn falls out of the user's role."""

    EMPTY = "empty"
    """Nothing was said."""
    OTHER_SIDE = "other_side"
    """It speaks for the therapist."""
    MACHINE = "machine"
    """It speaks as a model: of its prompt, or of what it can't assist with."""
    REVEALS = "reveals"
    """It quotes the thought that it should not say."""


def out_of_role(text: str, hidden_thought: str) -> OutOfRole | None:
    """Return how a user's turn falls out of role, or None."""
    if not words_of(text):
        return OutOfRole.EMPTY
    if _SPEAKER.search(text):
        return OutOfRole.OTHER_SIDE
    if _MACHINE.search(text.replace("’", "'")):
        return OutOfRole.MACHINE
    if runs_of(text, REVEALED_WORDS) & runs_of(hidden_thought, REVEALED_WORDS):
        return OutOfRole.REVEALS
    return None
