"""Rates with their n and 95 % interval.

One answer per item: Wilson's score interval (E. B. Wilson, 1927). Repeated answers: an item's repeats resemble each
other, so items, not answers, are the sample; Wilson's formula is then fed the number of independent answers that
would spread as much as the item means do (E. L. Korn & B. I. Graubard, 1998). We prefer that to a bootstrap for a
single rate, because a bootstrap of items that (nearly) all agree has (nearly) no width, however few they are; at one repeat
it is Wilson's interval exactly. Averages over subsets combine the subsets' intervals (G. Y. Zou & A. Donner, 2008).

Nothing here returns infinity or NaN: an empty sample has no value and no bounds (None) and n = 0.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from services.core.stats.distributions import normal_quantile

CONFIDENCE = 0.95


class Rate(NamedTuple):
    """A share in [0, 1], or a difference of two (the targeting gap) in [−1, 1]."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Items (not answers) that it rests on."""


EMPTY = Rate(None, None, None, 0)


def wilson(successes: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval for `successes` of `n` > 0; n may be an effective, fractional count."""
    z2 = normal_quantile((1 + CONFIDENCE) / 2) ** 2
    share = successes / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # At the ends the bounds are 0 and 1 exactly; rounding must not say otherwise.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def rate(successes: int, n: int) -> Rate:
    """Return the share of `successes` among `n` independent items."""
    return Rate(successes / n, *wilson(successes, n), n) if n else EMPTY


def mean_rate(items: Sequence[Sequence[bool]]) -> Rate:
    """Return the mean over items of each item's share of true answers; items without an answer are left out.

    Every item counts once, however many of its repeats were readable.
    """
    means = [sum(answers) / len(answers) for answers in items if answers]
    if not means:
        return EMPTY
    mean = math.fsum(means) / len(means)
    independent = _independent_answers(means, most=sum(len(answers) for answers in items))
    return Rate(mean, *wilson(mean * independent, independent), len(means))


def _independent_answers(means: Sequence[float], most: int) -> float:
    """Return how many independent answers would leave the mean as uncertain as these items do.

    Between the number of items (repeats tell nothing new) and of answers (repeats are independent). The spread is
    taken with two items added, at 0 and at 1, so that few items, or items that all agree, stay near the cautious end.
    """
    smoothed = [0.0, *means, 1.0]
    mean = math.fsum(smoothed) / len(smoothed)
    between = math.fsum((value - mean) ** 2 for value in smoothed)
    gain = mean * (1 - mean) * len(smoothed) / between
    return min(most, max(1.0, gain) * len(means))


def mean_of_rates(rates: Sequence[Rate]) -> Rate:
    """Return the unweighted mean of independent rates (macro average), n the sum of theirs.

    The interval squares and adds each rate's distance to its own bounds, so it inherits their asymmetry. Rates
    without a value are left out.
    """
    known = [(r.value, r.low, r.high) for r in rates if r.value is not None]
    if not known:
        return EMPTY
    values = [(value, low or 0.0, high or 0.0) for value, low, high in known]
    mean = math.fsum(value for value, _, _ in values) / len(values)
    below = math.hypot(*(value - low for value, low, _ in values)) / len(values)
    above = math.hypot(*(high - value for value, _, high in values)) / len(values)
    return Rate(mean, mean - below, mean + above, sum(r.n for r in rates))
