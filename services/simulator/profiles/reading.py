"""A model's answer, read as one person, or the cause why it is none.

Strict: exactly one JSON object with exactly the two fields asked for, each one plain paragraph. An answer in a code fence, with a remark before it
or a field beside them is no answer: whoever does not keep to the form did not keep to the rest of the question either, and asking again
is cheap. Lengths are in words, and wider than what is asked for, because a sentence is a matter of taste.
"""

import json
import re
from enum import StrEnum
from typing import Any, Final, cast

from services.core.domain.chat import clean
from services.core.domain.trajectory import Profile
from services.simulator.profiles.rules import Fault, complaints_about
from services.simulator.profiles.writer import Place
from services.simulator.words import words_of

WORDS: Final = {"context": (15, 110), "opening": (8, 150)}
_ASKED_AS: Final = {"user_context": "context", "user_prompt": "opening"}
_MARKUP = re.compile(
    r"\*\*|__|`|^\s*(?:#{1,6}\s|[-*•]\s|\d+[.)]\s)|\[[^\]]*\]\(|</?[a-z]+>|\{\{", re.MULTILINE | re.I
)


class Form(StrEnum):
    """Why an answer is no person at all. What is wrong with a person is a `Fault`."""

    EMPTY = "empty"
    """Nothing was said."""
    CUT_OFF = "cut_off"
    """It ended at the token limit."""
    NO_JSON = "no_json"
    """Not one JSON object and nothing else."""
    FIELDS = "fields"
    """Not exactly the two fields, each a text."""
    CHARACTERS = "characters"
    """Control characters, or none of Unicode's."""
    MARKUP = "markup"
    """Markdown, a list, more than one paragraph, or a placeholder."""
    LENGTH = "length"
    """Far too short or too long."""
    DUPLICATE = "duplicate"
    """Somebody else told again (`likeness`)."""


class Rejected(Exception):
    """An answer that is not accepted."""

    def __init__(self, cause: Form | Fault, complaint: str):
        super().__init__(f"{cause}: {complaint}")
        self.cause = cause
        self.complaint = complaint


def read_person(text: str, finish_reason: str, place: Place, author: str) -> Profile:
    """Return the person in a model's answer. Raises `Rejected` for the first thing that is wrong."""
    if not text.strip():
        raise Rejected(Form.EMPTY, f"nothing was said ({finish_reason})")
    if finish_reason == "length":
        raise Rejected(Form.CUT_OFF, "the answer ended at the token limit")
    texts = {field: _plain(field, value) for field, value in _fields(text).items()}
    person = Profile(place.name, texts["context"], texts["opening"], author)
    for complaint in complaints_about(place.scenario, person):
        raise Rejected(complaint.fault, f"{complaint.field} {complaint.words}")
    return person


def _fields(text: str) -> dict[str, str]:
    try:
        value: object = json.loads(text, object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as error:
        raise Rejected(Form.NO_JSON, f"this is not one JSON object ({str(error)[:100]})") from None
    if not isinstance(value, dict):
        raise Rejected(Form.NO_JSON, "this is JSON, but no object")
    found = cast("dict[str, object]", value)
    if found.keys() != _ASKED_AS.keys():
        raise Rejected(Form.FIELDS, f"the fields are {', '.join(sorted(found))[:200] or 'none'}")
    texts = {_ASKED_AS[name]: said for name, said in found.items() if isinstance(said, str)}
    if len(texts) < len(_ASKED_AS):
        raise Rejected(Form.FIELDS, "a field holds no text")
    return texts


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field stands twice")
    return fields


def _plain(field: str, text: str) -> str:
    text = text.strip()
    if clean(text) != text or "\ufffd" in text:
        raise Rejected(Form.CHARACTERS, f"{field} holds characters that are no text")
    if "\n" in text or _MARKUP.search(text):
        raise Rejected(Form.MARKUP, f"{field} is not one paragraph of plain text")
    least, most = WORDS[field]
    count = len(words_of(text))
    if not least <= count <= most:
        raise Rejected(Form.LENGTH, f"{field} has {count} words; {least} to {most} are wanted")
    return text
