"""Two shares of separate samples, from their counts alone: what can be asked of a table that somebody printed."""

import math
from typing import NamedTuple

from services.core.stats.distributions import normal_two_sided
from services.core.stats.rates import Rate, rate


class Comparison(NamedTuple):
    """Two shares, each with Wilson's interval, and the test of their difference."""

    before: Rate
    after: Rate
    difference: float
    p: float


def two_proportions(before: tuple[int, int], after: tuple[int, int]) -> Comparison:
    """Compare `(successes, n)` of two independent samples, n > 0: the pooled two-proportion z test, two-sided.

    If both sets of answers came from the same items, the samples are not independent, and a paired test would see a
    little more; printed tables do not allow one.
    """
    first, second = rate(*before), rate(*after)
    pooled = (before[0] + after[0]) / (before[1] + after[1])
    error = math.sqrt(pooled * (1 - pooled) * (1 / before[1] + 1 / after[1]))
    difference = after[0] / after[1] - before[0] / before[1]
    return Comparison(first, second, difference, normal_two_sided(difference / error) if error else 1.0)


def count_of(percent: float, most: int, rounding: float) -> tuple[int, int] | None:
    """Return the `(k, n)` with the largest n ≤ `most` that a printed percentage can stand for, or None.

    `rounding` is how far k/n may be from what is printed, in points (0.01 also allows a value that was cut, not rounded).
    """
    for n in range(most, 0, -1):
        k = round(percent / 100 * n)
        if abs(100 * k / n - percent) <= rounding:
            return k, n
    return None
