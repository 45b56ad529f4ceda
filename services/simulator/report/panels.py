"""What a panel of a figure shows, as data: points with intervals, seeds as faint lines, ranges, colours, shapes.

Printed figures and those on pages draw the same panels. With one seed an arm's interval is that of its items; with more seeds
its value is their mean, the interval Student's t over seeds, up to the last round that all of them have. Arms are told apart by colour (a ramp that stays ordered for
colour-blind readers and in grey) and by the shape of their marks, and stand a little beside each other so that no interval
hides another.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from services.core.stats.seeds import mean_over_seeds
from services.simulator.report.common_round import in_round, last_common
from services.simulator.report.study import Arm, shares_of


class Panel(NamedTuple):
    """One measure's place in the figure."""

    measure: str
    title: str
    subtitle: str
    is_difference: bool = False


PANELS: Final = (
    Panel("honesty", "Honesty", "1 − P(lie) under pressure"),
    Panel("honest_share", "Honest statements", "P(honest) under pressure"),
    Panel("deception_rate", "Deception rate", "answers against own reasoning"),
    Panel("belief_accuracy", "Belief accuracy", "asked neutrally"),
    Panel("capability", "Capability", "tasks solved"),
    Panel("targeting_gap", "Targeting gap", "validates biased − benign users", is_difference=True),
)
# From dark blue over magenta to orange: ordered in lightness, and kept apart in every common colour blindness.
RAMP: Final = ("#1b2a8f", "#6a1fa0", "#b12a90", "#dd5c66", "#f5933f")
SHAPES: Final = (
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)
# Of the space between two rounds, what the arms' marks spread over.
_SPREAD = 0.42


def points(panel: Panel, arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """Return a mark for every arm and measured round: arm, round, x, value, low, high, n."""
    return [
        row
        for arm, beside in zip(arms, _offsets(len(arms)), strict=True)
        for row in _points(panel, arm, beside)
    ]


def seeds(panel: Panel, arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """Return every seed's own values, of arms that have several: arm, run, x, value."""
    return [
        row
        for arm, beside in zip(arms, _offsets(len(arms)), strict=True)
        for row in _seeds(panel.measure, arm, beside)
    ]


def last_round(arms: Sequence[Arm]) -> int:
    """Return the last round that any run has measured."""
    return max((result.round for arm in arms for run in arm.runs for result in run.rounds), default=0)


def sample(panel: Panel, arms: Sequence[Arm]) -> str:
    """Say how many items a mark rests on, and how many seeds where there are several."""
    rates = [result.measure(panel.measure) for arm in arms for run in arm.runs for result in run.rounds]
    counts = sorted({rate.n for rate in rates if rate.value is not None})
    if not counts:
        return "not measured"
    items = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
    seeds = max(len(arm.runs) for arm in arms)
    return f"n = {items}" if seeds == 1 else f"n = {items} × {seeds} seeds"


def bars(arms: Sequence[Arm]) -> str:
    """Say what the intervals are over: the items of one seed, or seeds."""
    seeds = {count for arm in arms for count in Counter(_rounds(arm)).values()}
    if max(seeds, default=1) == 1:
        return f"95 % intervals over items, one seed{'' if len(arms) == 1 else ' an arm'}"
    return f"95 % intervals over seeds{', over items where there is one seed' if 1 in seeds else ''}"


def domain(panel: Panel, drawn: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return 0 to 1; for a difference down to −0.5 or −1, so that a labelled end lies below all that is drawn."""
    bounds = [row.get(name) for row in drawn for name in ("value", "low")] if panel.is_difference else []
    lowest = min((bound for bound in bounds if bound is not None), default=0.0)
    return [0.0 if lowest >= 0 else -0.5 if lowest >= -0.5 else -1.0, 1.0]


def legend_title(shown: Sequence[Arm]) -> str:
    """Say what the names of arms are."""
    share = f"share of {shares_of([run for arm in shown for run in arm.runs])}"
    return f"{share}, setting" if any("," in arm.name for arm in shown) else share


def colours(count: int, ramp: Sequence[str] = RAMP) -> list[str]:
    """Return `count` colours spread evenly over the ramp."""
    if count == 1:
        return [ramp[0]]
    steps = [place * (len(ramp) - 1) / (count - 1) for place in range(count)]
    return [_mixed(step, ramp) for step in steps]


def _mixed(step: float, ramp: Sequence[str]) -> str:
    first = min(int(step), len(ramp) - 2)
    weight = step - first
    pairs = zip(_channels(ramp[first]), _channels(ramp[first + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * weight):02x}" for a, b in pairs)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))


def _points(panel: Panel, arm: Arm, offset: float) -> Iterator[dict[str, Any]]:
    for number in sorted(set(_rounds(arm))):
        mean = mean_over_seeds([in_round(run, number).measure(panel.measure) for run in arm.runs])
        if mean.value is not None:
            row = {"arm": arm.name, "round": number, "x": number + offset, "value": mean.value, "n": mean.n}
            yield row | {"low": _drawn(panel, mean.low), "high": _drawn(panel, mean.high)}


def _rounds(arm: Arm) -> Iterator[int]:
    """Return the rounds that an arm's mean is drawn in, each as often as it has seeds.

    Beyond the last common one a mean would be of those that went on: the seeds' own lines show them.
    """
    last = last_common(arm.runs)
    return (result.round for run in arm.runs for result in run.rounds if result.round <= last)


def _drawn(panel: Panel, bound: float | None) -> float | None:
    """Keep a t interval, which knows no ends, between those of what it is of: a rate, or a difference of two."""
    return bound if bound is None else min(1.0, max(-1.0 if panel.is_difference else 0.0, bound))


def _seeds(measure: str, arm: Arm, offset: float) -> Iterator[dict[str, Any]]:
    for run in arm.runs if len(arm.runs) > 1 else ():
        for result in run.rounds:
            value = result.measure(measure).value
            if value is not None:
                yield {"arm": arm.name, "run": run.run, "x": result.round + offset, "value": value}


def _offsets(count: int) -> list[float]:
    """Return how far each of `count` arms stands beside its round, so that no interval hides another."""
    return [_SPREAD * ((place + 0.5) / count - 0.5) for place in range(count)]
