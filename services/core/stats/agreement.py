"""How far two judges agree about the same items: Cohen's kappa (J. Cohen, 1960).

kappa = (po − pe) / (1 − pe): po is the share on which they agree, pe the share on which they would if each gave its labels as often
as it does, but by chance. So 1 is agreement throughout, 0 is what chance gives, below 0 is worse than chance. Where both judges give
everything the same one label, chance alone explains their agreement and nothing can be said: kappa is then None, and not 1.

Several pairs of one item (its repeats) count together as much as one item's.

The interval is Wilson's of po, with the items as sample, carried over at the pe that was seen. The usual one, by the standard error of
J. L. Fleiss, J. Cohen & B. S. Everitt (1969), has no width where no disagreement was seen, and is far too narrow where few were,
which is where good judges are; docs/decisions/0020 has the simulation.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from services.core.stats.rates import Rate, mean_rate


class Agreement(NamedTuple):
    """Cohen's kappa with its 95 % interval, and the plain share of agreement; n (items) stands in that."""

    kappa: float | None
    """None without items, and where both judges gave everything one label."""
    low: float | None
    high: float | None
    observed: Rate


def cohens_kappa(items: Sequence[Sequence[tuple[str, str]]]) -> Agreement:
    """Return how far the two labels of each pair agree; `items` holds one sequence of pairs an item, which may be empty."""
    kept = [pairs for pairs in items if pairs]
    observed = mean_rate([[one == other for one, other in pairs] for pairs in kept])
    first, second = (_habit(kept, place) for place in (0, 1))
    if observed.value is None or len(first.keys() | second.keys()) == 1:
        return Agreement(None, None, None, observed)
    chance = math.fsum(share * second.get(label, 0.0) for label, share in first.items())
    shares = (observed.value, observed.low or 0.0, observed.high or 0.0)
    kappa, low, high = (max(-1.0, (share - chance) / (1 - chance)) for share in shares)
    return Agreement(kappa, low, high, observed)


def _habit(items: Sequence[Sequence[tuple[str, str]]], place: int) -> dict[str, float]:
    """Return which share of the items one of the two judges gives each label to."""
    found: dict[str, float] = {}
    for pairs in items:
        for pair in pairs:
            found[pair[place]] = found.get(pair[place], 0.0) + 1 / len(pairs) / len(items)
    return found
