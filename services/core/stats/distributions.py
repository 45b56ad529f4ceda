# pyright: basic
# scipy's special functions carry no types; this module is where they get some.
"""The few distribution functions and the root finder that the statistics need, from scipy, with types.

scipy is imported when it is first needed: it takes half a second, and most commands compute nothing.
"""

from collections.abc import Callable
from typing import cast


def normal_quantile(probability: float) -> float:
    """Return z such that a standard normal is below it with `probability`."""
    from scipy import special

    return float(special.ndtri(probability))


def normal_share(z: float) -> float:
    """Return the probability that a standard normal is below `z`."""
    from scipy import special

    return float(special.ndtr(z))


def normal_two_sided(z: float) -> float:
    """Return the probability of a standard normal at least as far from 0 as `z`."""
    from scipy import special

    return float(min(1.0, 2 * special.ndtr(-abs(z))))


def t_quantile(probability: float, degrees: int) -> float:
    """Return t such that Student's t with `degrees` of freedom is below it with `probability`."""
    from scipy import special

    return float(special.stdtrit(degrees, probability))


def t_two_sided(t: float, degrees: int) -> float:
    """Return the probability of a Student's t at least as far from 0 as `t`."""
    from scipy import special

    return float(min(1.0, 2 * special.stdtr(degrees, -abs(t))))


def t_test_power(shift: float, degrees: int, size: float) -> float:
    """Return how often a two-sided t test of `size` rejects when its t is shifted by `shift`.

    The noncentral t, as a mean over the spread that a sample may show: scipy's own `nctdtr` fails for few degrees of freedom.
    """
    import numpy as np
    from scipy import special

    bound = special.stdtrit(degrees, 1 - size / 2)
    shown = bound * np.sqrt(special.chdtri(degrees, (np.arange(2000) + 0.5) / 2000) / degrees)
    return float(np.mean(special.ndtr(shift - shown) + special.ndtr(-shift - shown)))


def fair_coin_two_sided(heads: int, tails: int) -> float:
    """Return the exact probability of a split at least as uneven as this from a fair coin."""
    from scipy import special

    return float(min(1.0, 2 * special.bdtr(min(heads, tails), heads + tails, 0.5)))


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where `function`, of opposite signs at `low` and `high`, is zero (Brent)."""
    from scipy import optimize

    return cast(float, optimize.brentq(function, low, high))
