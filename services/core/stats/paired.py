"""The change between two policies on the same items: difference, 95 % interval, test, smallest detectable change.

The sample is the item: its repeats (and for the targeting gap its two users) are first averaged into one difference
per item, then items are resampled, so what belongs to an item moves together (a cluster bootstrap).

Interval: percentiles of the bootstrap, smoothed as D. G. Bonett & R. M. Price (2012) do for matched pairs: two items are
added, one that went up and one that went down, by the usual size of a change. Without them forty items that all stay
alike would claim a change of exactly 0 with no doubt at all. Half of the draws are made with the arms swapped, so
swapping arms turns the interval over exactly.

Test: flipping the signs of the items' differences, as two equal policies would by chance. If all changes have one
size (always at one repeat) that is the exact McNemar test; else it is drawn at random.

Draws are seeded by a constant and made over the *counts* of distinct differences, so the order of items can't matter
and a comparison takes milliseconds.
"""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from services.core.stats.power import smallest_detectable

# Differences of shares of a few repeats are fractions; this joins those that only rounding tells apart.
_DECIMALS = 9

Item = TypeVar("Item", bound=Hashable)
_Counts = tuple[tuple[float, int], ...]


class Difference(NamedTuple):
    """After − before. Everything but n is None where too little is known to say."""

    difference: float | None
    low: float | None
    high: float | None
    n: int
    """Items (or seeds) valid in both."""
    p: float | None
    """Two-sided."""
    detectable: float | None
    """The smallest true difference that would be found with 80 % power."""


NO_DIFFERENCE = Difference(None, None, None, 0, None, None)


def paired_difference(
    before: Mapping[Item, Sequence[float]], after: Mapping[Item, Sequence[float]]
) -> Difference:
    """Return after − before over the items that have a value in both; each item's values are its repeats."""
    return mean_difference(list(item_differences(before, after).values()))


def item_differences(
    before: Mapping[Item, Sequence[float]], after: Mapping[Item, Sequence[float]]
) -> dict[Item, float]:
    """Return each common item's mean after minus its mean before."""
    return {
        item: math.fsum(after[item]) / len(after[item]) - math.fsum(values) / len(values)
        for item, values in before.items()
        if values and after.get(item)
    }


def mean_difference(differences: Sequence[float]) -> Difference:
    """Return the mean of independent items' differences (in [−1, 1] each, or a little more if weighted)."""
    if not differences:
        return NO_DIFFERENCE
    n = len(differences)
    mean = math.fsum(differences) / n
    counts = tuple(sorted(Counter(round(value, _DECIMALS) + 0.0 for value in differences).items()))
    low, high, p, detectable = _spread(counts)
    return Difference(mean, min(low, mean), max(high, mean), n, p, detectable)


class _Spread(NamedTuple):
    low: float
    high: float
    p: float
    detectable: float | None


@lru_cache(maxsize=4096)
def _spread(counts: _Counts) -> _Spread:
    n = sum(count for _, count in counts)
    squares = math.fsum(value**2 * count for value, count in counts)
    changed = sum(count for value, count in counts if value)
    usual_square = squares / changed if changed else 1.0
    one_repeat = all(abs(value) in (0, 1) for value, _ in counts)
    # The two added items are in the spread too: items that never changed do not prove that none would.
    spread = (squares + 2 * usual_square) / (n + 2)
    detectable = smallest_detectable(n, spread, one_repeat=one_repeat)
    from services.core.stats.resampling import interval, sign_flip_p  # numpy, which most commands don't need

    low, high = interval(counts, math.sqrt(usual_square))
    return _Spread(low, high, sign_flip_p(counts), detectable)
