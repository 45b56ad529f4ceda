"""Processes that die and are replaced: how many deaths in a row are too many.

A process that can't even start would be replaced for ever. One that dies now and then, over a long life, is no such thing: after
a while without a death the count begins anew.
"""

MAX_IN_A_ROW = 10
SETTLED_S = 60.0
"""A death that comes so long after the one before is the first of another row."""


class Deaths:
    """Deaths in a row, each soon after the one before."""

    def __init__(self) -> None:
        self.in_a_row = 0
        self._last_s = 0.0

    def count(self, now_s: float) -> None:
        """Count a death at a time of a clock that never goes back."""
        is_settled = now_s - self._last_s > SETTLED_S
        self.in_a_row = 1 if is_settled else self.in_a_row + 1
        self._last_s = now_s

    @property
    def are_too_many(self) -> bool:
        """Whether another replacement would die too."""
        return self.in_a_row > MAX_IN_A_ROW
