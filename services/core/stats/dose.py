"""Dose response: how a measure falls along a dose (a share of biased users, a mixture ratio), and from which dose on.

**Fit.** Isotonic: the falling curve nearest to the arms' means (least squares, pool adjacent violators). It assumes that more
dose never helps, and nothing else. A logistic or straight line would be decided by its form where a study has four to seven
doses, of which the first few do nothing and the last few nearly everything.

**Established from.** Arms are tested against the control from the largest dose down, each at the full 5 % (two-sided, so 2.5 %
that equal arms seem to fall), until one is not shown to fall. The order is fixed beforehand, so the chance of any false claim
stays at 2.5 % without a correction (closed testing; W. Maurer, L. A. Hothorn & W. Lehmacher 1995). The threshold is the
smallest dose of that unbroken row.

**Excluded up to.** The same from the smallest dose up: a fall of `margin` or more is excluded while the interval stays above
−margin. The two ends together are the threshold's interval over the doses that were run, each end wrong in at most 2.5 % of
studies. Either end may be open (None): nothing established, or nothing excluded.

The tests are those of the comparisons that come in: Student's t over seeds, or over items at one seed. Resampling three seeds
could not give an interval: one resample in nine would hold a single seed.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.core.stats.paired import Difference
from services.core.stats.power import SIZE
from services.core.stats.seeds import across_seeds

MARGIN = 0.05
"""The fall that is looked for below the threshold."""


class Level(NamedTuple):
    """One arm at a dose."""

    dose: float
    versus: Difference
    """This arm − the control arm; `NO_DIFFERENCE` if it could not be measured, which ends a row."""


class Threshold(NamedTuple):
    """From which dose on a measure falls; doses are among those that were run."""

    established: float | None
    """The smallest dose of an unbroken row from the largest down that is shown to fall; None if the largest isn't."""
    excluded: float | None
    """The largest dose of an unbroken row from the smallest up in which a fall of `margin` is excluded; None if there is none."""
    margin: float


def threshold(levels: Sequence[Level]) -> Threshold:
    """Return the threshold of a fall against the control arm, which is not among the `levels`."""
    rising = sorted(levels, key=lambda level: level.dose)
    return Threshold(
        _end_of_row([(level.dose, _falls(level.versus)) for level in reversed(rising)]),
        _end_of_row([(level.dose, _keeps(level.versus)) for level in rising]),
        MARGIN,
    )


def _end_of_row(tested: Sequence[tuple[float, bool]]) -> float | None:
    reached = None
    for dose, is_shown in tested:
        if not is_shown:
            break
        reached = dose
    return reached


def _falls(change: Difference) -> bool:
    return (
        change.difference is not None and change.difference < 0 and change.p is not None and change.p <= SIZE
    )


def _keeps(change: Difference) -> bool:
    return change.low is not None and change.low > -MARGIN


def falling_fit(values: Sequence[float], weights: Sequence[float]) -> tuple[float, ...]:
    """Return the falling (never rising) sequence nearest to `values`, given by rising dose, in weighted squares."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        mean, total, size = value, weight, 1
        while blocks and blocks[-1][0] < mean:
            other, other_total, other_size = blocks.pop()
            mean = (mean * total + other * other_total) / (total + other_total)
            total, size = total + other_total, size + other_size
        blocks.append((mean, total, size))
    return tuple(mean for mean, _, size in blocks for _ in range(size))


def trend(values: Mapping[float, Mapping[int, float]]) -> Difference:
    """Return the straight-line change from the smallest to the largest dose, over seeds.

    `values` is dose → seed → value; only seeds that have every dose count. The line is each seed's own least-squares fit,
    so what a seed adds to all its arms drops out.
    """
    doses = sorted(values)
    seeds = set[int].intersection(*(set(values[dose]) for dose in doses)) if doses else set[int]()
    centre = math.fsum(doses) / max(len(doses), 1)
    spread = math.fsum((dose - centre) ** 2 for dose in doses)
    if not spread:
        return across_seeds([])
    span = doses[-1] - doses[0]
    return across_seeds(
        [
            span * math.fsum((dose - centre) * values[dose][seed] for dose in doses) / spread
            for seed in sorted(seeds)
        ]
    )
