# pyright: basic
# torch is untyped in parts.
"""What a decoder has read already: keys and values of recent prompts and conversations, for those that go on.

A conversation's next prompt begins with all that was said, and people with one profile open alike, so most of a
prompt need not be read again. Reading on from here gives the same numbers up to float64 rounding.
"""

from collections.abc import Sequence

from torch import Tensor

_MOST_TOKENS = 12_000
"""About 100 MB at 8 kB a token."""


class Prefixes:
    """Keys and values [layers, 2, heads, tokens, width] by the tokens they were read from, oldest first."""

    def __init__(self, end: int):
        self._end = end
        self._known: dict[tuple[int, ...], Tensor] = {}
        self._tokens = 0

    def longest(self, prompt: tuple[int, ...]) -> Tensor | None:
        """Return the longest known proper prefix that stops before an end token, or all but the last token."""
        stops = [len(prompt) - 1, *(n for n in range(len(prompt) - 2, 0, -1) if prompt[n] == self._end)]
        return next((self._known[prompt[:n]] for n in stops if prompt[:n] in self._known), None)

    def keep(self, tokens: Sequence[int], read: Tensor) -> None:
        """Remember what was read; forgets the oldest when there is too much."""
        key = tuple(tokens)
        if key in self._known:
            return
        self._known[key] = read
        self._tokens += len(key)
        while self._tokens > _MOST_TOKENS:
            oldest = next(iter(self._known))
            self._tokens -= len(oldest)
            del self._known[oldest]

    def forget(self) -> None:
        """Forget everything."""
        self._known.clear()
        self._tokens = 0
