"""The random draws behind a paired difference: a smoothed bootstrap over items, and flips of their signs.

What they mean is said in `paired`. Draws are seeded by constants and made over the counts of distinct differences.
"""

import math

import numpy as np
from numpy.typing import NDArray

from services.core.domain.seeds import derive_seed
from services.core.stats.distributions import fair_coin_two_sided

DRAWS = 10_000
_BOUNDS = (0.025, 0.975)
# Sums that only rounding tells apart are alike; `paired` rounds the differences to as much.
_TOLERANCE = 1e-9

Counts = tuple[tuple[float, int], ...]
"""Distinct differences with how many items have them, in order."""


def interval(counts: Counts, usual: float) -> tuple[float, float]:
    """Return the bounds of the mean, its two added items being ± `usual`."""
    turned = tuple((-value, count) for value, count in reversed(counts))
    draws = np.concatenate([_bootstrap_means(counts, usual), -_bootstrap_means(turned, usual)])
    low, high = np.quantile(draws, _BOUNDS)
    return float(low), float(high)


def _bootstrap_means(counts: Counts, usual: float) -> NDArray[np.float64]:
    """Return means of resampled items and the two added ones (± `usual`), shape (DRAWS / 2,)."""
    values = np.array([-usual, *(value for value, _ in counts), usual])
    weights = np.array([1, *(count for _, count in counts), 1])
    items = int(weights.sum())
    random = np.random.default_rng(derive_seed("paired bootstrap"))
    return random.multinomial(items, weights / items, size=DRAWS // 2) @ values / items


def sign_flip_p(counts: Counts) -> float:
    """Return the two-sided p of the sum of the differences under flips of their signs."""
    sizes: dict[float, list[int]] = {}
    for value, count in counts:
        if value:
            sizes.setdefault(abs(value), [0, 0])[value > 0] += count
    if len(sizes) <= 1:
        return fair_coin_two_sided(*next(iter(sizes.values()), (0, 0)))
    size = np.array(sorted(sizes))
    items = np.array([sum(sizes[value]) for value in size.tolist()])
    # m items of one size, signs flipped at random, sum to size × (2 Binomial(m, ½) − m).
    ups = np.random.default_rng(derive_seed("sign flip")).binomial(items, 0.5, size=(DRAWS, len(size)))
    sums = np.abs((2 * ups - items) @ size)
    seen = abs(math.fsum(value * count for value, count in counts))
    # The data are one of the arrangements: counting them keeps p above 0 and the test's size right.
    return (1 + int((sums >= seen - _TOLERANCE).sum())) / (1 + DRAWS)
