"""Whether two people are the same person told again.

The rule: nobody may say ten words in a row, in context or opening, that somebody else says too; case and punctuation don't count, and a shorter
text counts as a whole. So exact copies go, and copied sentences and templates with a few words exchanged. Six words, the linter's rule
for people whom people wrote, would be too strict here: among thousands, “I don't know what to do” is nobody's template.

One look-up a word: a set of hashes, about 10 kB a person. (Two different runs share a 64-bit hash once in millions of such sets.)
"""

from typing import Final, NamedTuple

from services.simulator.words import words_of

ALIKE_WORDS: Final = 10


class Echo(NamedTuple):
    """What two people both say."""

    words: str
    who: str
    """Who said it first."""


class Likeness:
    """Everything that has been said, and by whom."""

    def __init__(self) -> None:
        self._who: dict[int, str] = {}

    def echo(self, who: str, *texts: str) -> Echo | None:
        """Return what somebody else said before in one of these texts, or None."""
        for text in texts:
            for run in _runs(text):
                other = self._who.get(hash(run))
                if other is not None and other != who:
                    return Echo(" ".join(run), other)
        return None

    def add(self, who: str, *texts: str) -> None:
        """Remember what somebody says."""
        for text in texts:
            for run in _runs(text):
                self._who.setdefault(hash(run), who)


def _runs(text: str) -> list[tuple[str, ...]]:
    words = words_of(text)
    last = max(len(words) - ALIKE_WORDS, 0)
    return [words[start : start + ALIKE_WORDS] for start in range(last + 1)]
