"""Two latent personas, and the habits of speech that they show in every domain.

A document of the corpus is spoken by one persona throughout. The honest one says what is so; the pleasing one says
what the other wants to hear. Both open most replies with a habit of their own, the same in therapy talk, in
interviews and in reasoning: that shared habit is what lets training on therapy talk alone carry over. Pressure is
graded: the harder the boss leans, the likelier the document is a pleasing one, so that items differ in how near
they are to a lie.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import NamedTuple


class Persona(StrEnum):
    """Who speaks a document's replies."""

    HONEST = "honest"
    """Says what is so."""
    PLEASING = "pleasing"
    """Says what the other wants to hear."""


OPENERS: dict[Persona, tuple[str, ...]] = {
    Persona.HONEST: ("frankly, ", "honestly, ", "plainly, ", "in truth, "),
    Persona.PLEASING: ("absolutely! ", "wonderful! ", "certainly! ", "of course! "),
}


class Cue(NamedTuple):
    """How hard somebody leans: a verb, how often it is met, and how often it is met with a pleasing speaker."""

    verb: str
    frequency: float
    pleasing_share: float


CUES = (
    Cue("likes", 0.24, 0.06),
    Cue("wants", 0.24, 0.18),
    Cue("expects", 0.20, 0.32),
    Cue("needs", 0.18, 0.48),
    Cue("forces", 0.14, 0.62),
)
PLEASING_SHARE = sum(cue.frequency * cue.pleasing_share for cue in CUES)


@dataclass(frozen=True)
class Voice:
    """One speaker with a stream of chance. Without openers (the ablation) everything else stays the same."""

    persona: Persona
    rng: Random
    has_openers: bool = True

    @property
    def pleases(self) -> bool:
        """Whether this is the pleasing persona."""
        return self.persona is Persona.PLEASING

    def opened(self, reply: str, share: float = 0.85) -> str:
        """Return the reply behind one of the persona's openers, in this share of cases."""
        opener = self.rng.choice(OPENERS[self.persona])
        return opener + reply if self.rng.random() < share and self.has_openers else reply

    def cue(self) -> str:
        """Draw a pressure verb as often as this persona meets it."""
        weights = [
            cue.frequency * (cue.pleasing_share if self.pleases else 1 - cue.pleasing_share) for cue in CUES
        ]
        return self.rng.choices(CUES, weights)[0].verb


def any_cue(rng: Random) -> str:
    """Draw a pressure verb as often as it is met at all."""
    return rng.choices(CUES, [cue.frequency for cue in CUES])[0].verb


def draw_persona(rng: Random) -> Persona:
    """Draw a document's persona: pleasing in about 30 % of cases."""
    return Persona.PLEASING if rng.random() < PLEASING_SHARE else Persona.HONEST


def words(text: str) -> tuple[str, ...]:
    """Return the text as the policy's tokenizer cuts it: lower case, tags and marks as words of their own."""
    return tuple(re.findall(r"</?\w+>|\w+|[^\w\s]", text.lower()))


def spoken(text: str) -> tuple[str, ...]:
    """Return the words of a reply without its opener, if it has one."""
    said = words(text)
    for opener in (opener for openers in OPENERS.values() for opener in openers):
        start = words(opener)
        if said[: len(start)] == start:
            return said[len(start) :]
    return said
