"""Text whose words are as frequent as those of a language, so that a search meets rare, middling and common ones.

Passages are drawn from one vocabulary by Zipf's law: English stop words in front, which a search leaves out as ever, then made-up
words. A conversation is six passages and one name; names reach further down than a passage's words do: some are said a hundred
thousand times, most only a few times. The words are made up so that they meet by frequency alone.
"""

import math
import re
from collections import Counter
from typing import Final, NamedTuple

import numpy as np

PASSAGES: Final = 20_000
PASSAGES_A_CONVERSATION: Final = 6
NAMES: Final = 50_000
_VOCABULARY: Final = 20_000
_STOP_WORDS: Final = re.findall(
    r"\w+",
    "the and to of a i you that it is in my me we for not be with on have this do so but at "
    "are if they was he she as or an by from there what when who how all am can will just than then too very no",
)
_CHOICES: Final = 8
"""Words of about the same frequency that a measurement takes in turn."""


class Words(NamedTuple):
    """What to search for, by how many conversations say it."""

    rare: tuple[str, ...]
    """About ten conversations."""
    uncommon: tuple[str, ...]
    """0.3 % of them."""
    medium: tuple[str, ...]
    """3 % of them."""
    common: tuple[str, ...]
    """Half of them."""


def passages() -> list[str]:
    """Return the passages; the same ones each time."""
    draw = np.random.default_rng(1)
    vocabulary = np.array([*_STOP_WORDS, *(_word(number) for number in range(_VOCABULARY))])
    weights = 1 / (np.arange(len(vocabulary)) + 2.7)
    lengths = draw.integers(40, 80, PASSAGES)
    words = draw.choice(vocabulary, lengths.sum(), p=weights / weights.sum())
    return [" ".join(part) for part in np.split(words, np.cumsum(lengths)[:-1])]


def words(made: list[str], conversations: int) -> Words:
    """Return words of each frequency."""
    counted = Counter(word for text in made for word in set(text.split()) if word not in _STOP_WORDS)
    return Words(_names(10 / conversations), _names(0.003), _nearest(counted, 0.03), _nearest(counted, 0.5))


def name(number: int) -> str:
    """Return a name, as the database makes it too."""
    return f"zu{str(number).translate(str.maketrans('0123456789', 'bcdfghjklm'))}um"


def _names(share: float) -> tuple[str, ...]:
    """Return names that this share of conversations says: the number of one is log-uniform."""
    first = min(NAMES - _CHOICES, max(1, round(1 / (share * math.log(NAMES)))))
    return tuple(map(name, range(first, first + _CHOICES)))


def _nearest(counted: Counter[str], share: float) -> tuple[str, ...]:
    a_passage = 1 - (1 - share) ** (1 / PASSAGES_A_CONVERSATION)
    distance = {word: abs(count / PASSAGES - a_passage) for word, count in counted.items()}
    return tuple(sorted(distance, key=lambda word: (distance[word], word))[:_CHOICES])


def _word(number: int) -> str:
    syllables = [consonant + vowel for consonant in "bdfghjklmnprstvwxzqc" for vowel in "aeiou"]
    # 37 and 100 share no factor, so neighbours in frequency look different and no two words are alike.
    mixed = number * 37 % _VOCABULARY
    return syllables[mixed % 100] + syllables[mixed // 100 % 100] + syllables[mixed // 10_000] + "n"
