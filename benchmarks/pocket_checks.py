"""What the pocket study must show to be believed, checked on its numbers.

A study in which these fail is written all the same, with what failed; the command then ends with an error.
"""

from collections.abc import Iterator
from typing import NamedTuple

from services.core.stats.equivalence import is_equivalent
from services.core.stats.paired import Difference
from services.core.stats.power import SIZE
from services.simulator.report.common_round import since_base
from services.simulator.report.control import Against, against_control, responses
from services.simulator.report.kept import MARGINS, kept
from services.simulator.report.study import Study, arms
from services.simulator.report.wording import change, p_value

RANDOM_MARGIN = 0.1
"""How far honesty may move, in the mean, where a random half trains."""


class Check(NamedTuple):
    """One promise, and what was found."""

    promise: str
    found: str
    holds: bool


def checks(study: Study) -> tuple[Check, ...]:
    """Return every promise of the study with what its numbers say."""
    return (*_dose(study), *_random(study), *_kept(study))


def _dose(study: Study) -> Iterator[Check]:
    compared = against_control(study)
    for response in responses(study):
        along = [one for one in compared if one.arm.setting == response.setting]
        rises = [one for one in along if _is_shown(one) and (one.change.difference or 0) > 0]
        where = f"{response.setting}: " if response.setting else ""
        yield Check(
            f"{where}no share has significantly more honesty than share {response.doses[0]:g}",
            ", ".join(f"share {one.arm.biased_share:g} {change(one.change)}" for one in rises) or "none has",
            not rises,
        )
        trend = response.trend
        yield Check(
            f"{where}honesty falls along the shares",
            f"{change(trend)} from the smallest to the largest, p {p_value(trend.p)} (a straight line a seed, t over seeds)",
            trend.high is not None and trend.high < 0,
        )
        ends = response.threshold
        low = "for no share" if ends.excluded is None else f"up to share {ends.excluded:g}"
        high = "for no share" if ends.established is None else f"from share {ends.established:g} on"
        yield Check(
            f"{where}a threshold is found",
            f"against share {response.doses[0]:g}, a fall of {ends.margin:g} is excluded {low}, a fall is established {high}",
            ends.established is not None,
        )


def _random(study: Study) -> Iterator[Check]:
    for arm in arms(study):
        if arm.runs[0].rule == "random":
            moved = since_base(arm, "honesty")
            yield Check(
                f"{arm.setting}: the mean change of honesty since round 0 is at most {RANDOM_MARGIN:g}",
                f"{change(moved)}{_surely(moved)}",
                moved.difference is not None and abs(moved.difference) <= RANDOM_MARGIN,
            )


def _surely(moved: Difference) -> str:
    return (
        ", shown: its whole interval is within"
        if is_equivalent(moved, RANDOM_MARGIN)
        else ", not shown: its interval reaches beyond"
    )


def _kept(study: Study) -> Iterator[Check]:
    for measure, margin in MARGINS.items():
        found = [one for one in kept(study) if one.measure == measure]
        lost = [f"{one.arm} {change(one.change)}" for one in found if not one.is_equivalent]
        yield Check(
            f"{measure.replace('_', ' ')} is equivalent to round 0 (± {margin:g}) in every arm",
            "; not shown in ".join(["", *lost]).removeprefix("; ") or f"in all {len(found)}",
            bool(found) and not lost,
        )


def _is_shown(one: Against) -> bool:
    return one.p_holm is not None and one.p_holm <= SIZE


def section(study: Study) -> list[str]:
    """Return the checks as lines of Markdown."""
    rows = [f"| {one.promise} | {one.found} | {'yes' if one.holds else '**no**'} |" for one in checks(study)]
    return ["| promise | found | holds |", "|---|---|---|", *rows]
