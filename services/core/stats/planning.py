"""How large a study has to be: items, repeats and seeds for a difference between two arms on the same items.

One seed: the item is the sample, as in `paired`. Several: the seed is, as in `seeds`; a seed's difference varies with the
training (`seed_sd`) and with its items, so that more of either helps until the other is all that is left.

The `spread` is the mean squared difference of one item between the arms at one repeat when nothing changed on average: at one
repeat, simply the share of items that change their answer. A part of it, `sampling`, is only that the same policy would
answer differently the second time: repeats divide this part. The rest is items that really moved, up or down; repeats leave it.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from services.core.stats.distributions import normal_quantile, normal_share, t_test_power
from services.core.stats.power import POWER, SIZE, smallest_detectable

MOST = 1_000_000
"""Items, or seeds, beyond which an answer is no plan."""


class Noise(NamedTuple):
    """What hides a difference; shares and differences in [0, 1]."""

    spread: float
    sampling: float
    seed_sd: float
    """Standard deviation, between seeds, of the true difference of the two arms."""

    def of_items(self, repeats: int) -> float:
        """Return the mean squared difference of an item when its repeats are averaged."""
        return self.spread * (self.sampling / repeats + 1 - self.sampling)


class Size(NamedTuple):
    """A study's size."""

    items: int
    repeats: int = 1
    seeds: int = 1


def independent_spread(base_rate: float) -> float:
    """Return the spread of two answers that have nothing in common but their rate: the most that pairing can be left with."""
    return 2 * base_rate * (1 - base_rate)


def power_of(effect: float, size: Size, noise: Noise) -> float:
    """Return the chance that a true difference `effect` > 0 is found (two-sided 5 %)."""
    spread = _spread_at(effect, size, noise)
    within = max(0.0, spread - effect**2) / size.items
    if size.seeds > 1:
        error = math.sqrt((noise.seed_sd**2 + within) / size.seeds)
        return t_test_power(effect / error, size.seeds - 1, SIZE) if error else 1.0
    excess = effect - normal_quantile(1 - SIZE / 2) * math.sqrt(spread / size.items)
    return normal_share(excess / math.sqrt(within)) if within else float(excess >= 0)


def detectable(size: Size, noise: Noise, power: float = POWER) -> float | None:
    """Return the smallest difference that is found with `power`, or None if not even 1 is."""
    if size.seeds == 1:
        one_repeat = size.repeats == 1
        return smallest_detectable(
            size.items, noise.of_items(size.repeats), one_repeat=one_repeat, power=power
        )
    if power_of(1.0, size, noise) < power:
        return None
    low, high = 0.0, 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if power_of(middle, size, noise) >= power else (middle, high)
    return high


def items_needed(effect: float, size: Size, noise: Noise, power: float = POWER) -> int | None:
    """Return the fewest items that find `effect` with `power`, the rest of `size` as it is; None if no number does."""
    return _fewest(1, lambda items: power_of(effect, size._replace(items=items), noise) >= power)


def seeds_needed(effect: float, size: Size, noise: Noise, power: float = POWER) -> int | None:
    """Return the fewest seeds, two at least, that find `effect` with `power`, the rest of `size` as it is."""
    return _fewest(2, lambda seeds: power_of(effect, size._replace(seeds=seeds), noise) >= power)


def _fewest(least: int, is_enough: Callable[[int], bool]) -> int | None:
    """Return the smallest count that is enough, by doubling and halving: enough once is enough for more."""
    high = least
    while not is_enough(high):
        high *= 2
        if high > MOST:
            return None
    low = max(least - 1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _spread_at(effect: float, size: Size, noise: Noise) -> float:
    """Return the spread with the change that an effect itself brings."""
    return max(noise.of_items(size.repeats), effect if size.repeats == 1 else effect**2)
