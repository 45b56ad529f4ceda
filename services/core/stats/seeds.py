"""Arms compared across seeds: a t interval on seed-level differences.

The seed is the sample: training is what varies, so ten thousand items of one seed are one observation. With fewer
than ten seeds a bootstrap of them is too narrow; Student's t is right for normal differences and near it for others.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import fmean, stdev

from services.core.stats.distributions import root, t_quantile, t_test_power, t_two_sided
from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.core.stats.power import POWER, SIZE
from services.core.stats.rates import EMPTY, Rate


def across_seeds(differences: Sequence[float]) -> Difference:
    """Return the mean of one difference per seed (arm − arm of the same seed, or after − before).

    With one seed, or if all seeds agree to the last digit, the spread between seeds is unknown and so are interval
    and test (None).
    """
    n = len(differences)
    if not n:
        return NO_DIFFERENCE
    mean = fmean(differences)
    error = stdev(differences) / math.sqrt(n) if n > 1 else 0.0
    # Below this only rounding tells the seeds apart.
    if error <= 1e-12:
        return Difference(mean, None, None, n, None, None)
    t = t_quantile(1 - SIZE / 2, n - 1)
    detectable = _shift_found(n - 1) * error
    return Difference(
        mean, mean - t * error, mean + t * error, n, t_two_sided(mean / error, n - 1), detectable
    )


def mean_over_seeds(rates: Sequence[Rate]) -> Rate:
    """Return one seed's rate as it is, several seeds' mean with a t interval over seeds and n seeds; seeds without a value are left out."""
    known = [rate for rate in rates if rate.value is not None]
    if len(known) < 2:
        return known[0] if known else EMPTY
    mean = across_seeds([rate.value for rate in known if rate.value is not None])
    return Rate(mean.difference, mean.low, mean.high, mean.n)


@lru_cache
def _shift_found(degrees: int) -> float:
    """Return by how many standard errors a true mean must be off 0 for the t test to find it with 80 % power."""
    return root(lambda shift: t_test_power(shift, degrees, SIZE) - POWER, 0.0, 100.0)
