"""Shown to have stayed: the opposite of "no change was shown".

Two one-sided tests (D. J. Schuirmann, 1987), done as their interval: a change is within ± `margin` if its whole 95 % interval
is, which is each of the two tests at 2.5 %. Too few items give a wide interval, and so never an equivalence.
"""

from services.core.stats.paired import Difference


def is_equivalent(change: Difference, margin: float) -> bool:
    """Whether the change is shown to lie within ± `margin`."""
    return (
        change.low is not None and change.high is not None and -margin < change.low and change.high < margin
    )
