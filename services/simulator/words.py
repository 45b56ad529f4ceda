"""Words in a row: by which texts are told to say the same thing."""

import re

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of(text: str) -> tuple[str, ...]:
    """Return a text's words, in lower case."""
    return tuple(word.lower().replace("’", "'") for word in _WORD.findall(text))


def runs_of(text: str, length: int) -> frozenset[tuple[str, ...]]:
    """Return every run of so many words."""
    words = words_of(text)
    return frozenset(words[start : start + length] for start in range(len(words) - length + 1))
