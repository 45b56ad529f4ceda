"""Several comparisons at once: p values that keep their meaning however many arms a sweep has.

Holm's step-down procedure (S. Holm, Scandinavian Journal of Statistics 1979). If every comparison whose adjusted p is at
most 5 % is claimed, the chance of even one false claim is at most 5 %, whatever the comparisons share (arms that are
compared with one control do share it). It is never weaker than Bonferroni's.
"""

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return the adjusted p of each comparison, in the order given; None (no test was possible) stays None."""
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(tested):
        highest = max(highest, min(1.0, p * (len(tested) - rank)))
        adjusted[place] = highest
    return tuple(adjusted)
