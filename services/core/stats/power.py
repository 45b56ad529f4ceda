"""What a paired comparison could have seen: the smallest true difference that it finds four times in five.

It stands next to every "no change", which without it may only mean "too few items". The approximation is Connor's
for paired proportions (R. J. Connor, Biometrics 1987): under no change a mean difference has variance `spread` / n,
under a change d it has (`spread` − d²) / n.
"""

import math

from services.core.stats.distributions import normal_quantile, root

POWER = 0.80
SIZE = 0.05


def smallest_detectable(
    n: int, spread: float, *, one_repeat: bool = True, power: float = POWER
) -> float | None:
    """Return the smallest paired difference that a two-sided 5 % test of `n` items finds with `power`.

    `spread` is the mean squared item difference: at one repeat, the share of items that change their answer. The
    spread can't be smaller than the change itself allows (|d| at one repeat, d² otherwise), so a larger change
    brings its own. None if even a change of every item would be missed.
    """
    z_size, z_power = normal_quantile(1 - SIZE / 2), normal_quantile(power)

    def margin(difference: float) -> float:
        squares = max(spread, difference if one_repeat else difference**2)
        noise = z_size * math.sqrt(squares) + z_power * math.sqrt(max(0.0, squares - difference**2))
        return math.sqrt(n) * difference - noise

    if n <= 0 or margin(1.0) < 0:
        return None
    # At 0 itself a change takes no spread at all, a root that means nothing: start just above it.
    return root(margin, 1e-9, 1.0) if margin(1e-9) < 0 else 0.0
