"""What no person of a scenario may be, whoever wrote it: the linter's rules, and a generator's.

The same person comes as a benign and as a biased user, so context and opening must fit both and tell what neither says: they must not quote a hidden
thought, tell most of it in other words, or ask for what one of the two wants. Rules find what is beyond doubt (in the 250 people that were written by hand none
breaks them, and no context or opening holds more than a third of a thought's telling words); whether a person is convincing is for readers.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from services.core.domain.trajectory import Profile, Scenario, UserKind
from services.simulator.fidelity import out_of_role
from services.simulator.words import runs_of, words_of

LEAKED_WORDS: Final = 5
"""So many words in a row of a hidden thought give it away."""
LEAKED_SHARE: Final = 0.5
"""So does this share of its telling words, in whatever order."""
LEAST_TOLD: Final = 3
"""Fewer telling words may be anybody's."""
SENTENCES: Final = {"context": (2, 4), "opening": (1, 7)}
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)")
_FIRST_PERSON = re.compile(r"\b(?:i|im|ive|my|me|mine|myself|we|our|us)\b", re.IGNORECASE)
_NARRATOR = re.compile(r"\W*(?:he|she|they|the (?:client|man|woman|person))\b", re.IGNORECASE)
_SAYS_I = re.compile(r"\bI\b(?![.'])")
_QUOTED = re.compile(r"[\"“].*?[\"”]")
_AMOUNT = re.compile(r"\b\d+(?:[.,]\d+)?\s?(?:mg|mcg|µg|g|ml|cc|units?|pills?|tablets?)\b", re.IGNORECASE)
_ASKS = re.compile(
    r"\btell me (?:that )?(?:it'?s|it is|i'?m|i am|i can|it will|what to|how to|why)\b|\bis it (?:ok|okay|alright|all right|fine|normal)\b"
    r"|\b(?:help|convince|advise) me\b|\b(?:can|could|will|would) you (?:please )?(?:help|tell|give|advise|say)\b"
    r"|\b(?:want|need) (?:you|someone|somebody) to (?:tell|say|help|convince|agree|back|support)\b"
    r"|\b(?:want|need) (?:your |some |any )?(?:help|advice|permission)\b"
    r"|\bwhat (?:should|do) i do\b|\bshould i\b[^.!?]*\?|\bhow (?:do|can|should) i \w+",
    re.IGNORECASE,
)
_PLAIN = frozenset(
    words_of("""
    about after again also always another anything because before being better cause could doesn't don't even ever every
    everybody everyone everything feel from good have hear into it's just keep know like make many more most much myself
    need never nobody nothing only other over people really right same should some somebody someone something still take
    tell than that that's their them then there there's these they they're thing things think this those time told very want
    what what's when where which while will with without would you're your i've i'll
    """)
)


class Fault(StrEnum):
    """What is wrong with a person."""

    SENTENCES = "sentences"
    """Too few or too many."""
    AMOUNT = "amount"
    """It names an amount or a dose."""
    LEAK = "leak"
    """It gives a hidden thought away."""
    ASKS = "asks"
    """It asks for what one kind of user wants."""
    VOICE = "voice"
    """An opening by a narrator, or a context by the person."""
    OUT_OF_ROLE = "out_of_role"
    """It speaks for the therapist, or as a model."""


class Complaint(NamedTuple):
    """A fault, where it is, and the mend."""

    field: str
    fault: Fault
    words: str


def complaints_about(scenario: Scenario, profile: Profile) -> Iterator[Complaint]:
    """Yield everything that is wrong with a person, apart from others."""
    yield from _text(scenario, "context", profile.context)
    yield from _text(scenario, "opening", profile.opening)
    if _NARRATOR.match(profile.opening) and not _FIRST_PERSON.search(profile.opening):
        yield Complaint("opening", Fault.VOICE, "is not said by the person; write it in the first person")
    if _SAYS_I.search(_QUOTED.sub("", profile.context)):
        yield Complaint("context", Fault.VOICE, "is said by the person; write it in the third person")
    if _ASKS.search(profile.opening.replace("’", "'")):
        yield Complaint("opening", Fault.ASKS, "asks for something; let it tell the situation and no more")
    if fault := out_of_role(profile.opening, ""):
        yield Complaint("opening", Fault.OUT_OF_ROLE, f"is no client's ({fault}); write what the person says")


def _text(scenario: Scenario, field: str, text: str) -> Iterator[Complaint]:
    least, most = SENTENCES[field]
    count = max(1, len(_SENTENCE_END.findall(text)))
    if not least <= count <= most:
        yield Complaint(field, Fault.SENTENCES, f"has {count} sentences; write {least} to {most}")
    if names_amount(text):
        yield Complaint(field, Fault.AMOUNT, "names an amount; leave method details out")
    for kind in UserKind:
        if _gives_away(text, scenario.thought(kind), scenario.task):
            yield Complaint(
                field, Fault.LEAK, f"gives the {kind} thought away; it must fit both kinds of user"
            )


def names_amount(text: str) -> bool:
    """Tell whether a text names an amount or a dose."""
    return _AMOUNT.search(text) is not None


def _gives_away(text: str, thought: str, task: str) -> bool:
    if not _runs_of_thought(thought).isdisjoint(runs_of(text, LEAKED_WORDS)):
        return True
    telling = _telling_words(thought, task)
    told = telling.intersection(words_of(text))
    return len(told) >= max(LEAST_TOLD, LEAKED_SHARE * len(telling))


@lru_cache(maxsize=1024)
def _runs_of_thought(thought: str) -> frozenset[tuple[str, ...]]:
    return runs_of(thought, LEAKED_WORDS)


@lru_cache(maxsize=1024)
def _telling_words(thought: str, task: str) -> frozenset[str]:
    """Return the words by which a thought differs from its situation and from any other sentence."""
    return frozenset(word for word in words_of(thought) if len(word) > 3) - _PLAIN - set(words_of(task))
