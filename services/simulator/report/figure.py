# pyright: basic
# altair's classes are generated from the Vega-Lite schema, with unions too wide for strict checking.
"""The figure: six measures over the rounds, one line an arm, 95 % intervals.

With one seed an arm's interval is that of its items; with more seeds the line is their mean, the interval Student's t
over seeds, and each seed a faint line. Arms are told apart by colour (a ramp that stays ordered for colour-blind readers and in
grey) and by the shape of their marks, and stand a little beside each other so that no interval hides another.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import altair as alt
import vl_convert

from services.core.stats.rates import Rate
from services.core.stats.seeds import across_seeds
from services.simulator.report.study import Arm, Study, arms


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
_COLUMNS = 3
_WIDTH, _HEIGHT = 196, 150
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
_INK, _PALE_INK, _GRID = "#22262b", "#626a73", "#e7eaee"
# From dark blue over magenta to orange: ordered in lightness, and kept apart in every common colour blindness.
_RAMP = ("#1b2a8f", "#6a1fa0", "#b12a90", "#dd5c66", "#f5933f")
_SHAPES = (
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


def drift_svg(study: Study) -> str:
    """Return the figure as one SVG element without external references."""
    return vl_convert.vegalite_to_svg(_figure(study))


def drift_png(study: Study) -> bytes:
    """Return the figure as a PNG of 300 dots an inch at print size."""
    return vl_convert.svg_to_png(drift_svg(study), scale=3, ppi=100)


def _figure(study: Study) -> dict[str, Any]:
    shown = arms(study)
    panels = [_panel(panel, shown) for panel in PANELS]
    rows = [
        alt.hconcat(*panels[start : start + _COLUMNS], spacing=22)
        for start in range(0, len(panels), _COLUMNS)
    ]
    chart = (
        alt.vconcat(*rows, spacing=22, title=_footnote(study))
        .configure(font=_FONT, background="white", padding=14)
        .configure_view(stroke=None)
        .configure_axis(
            gridColor=_GRID,
            domainColor="#9aa2ab",
            tickColor="#9aa2ab",
            labelColor=_PALE_INK,
            titleColor=_PALE_INK,
            labelFontSize=10,
            titleFontSize=10.5,
            titleFontWeight="normal",
        )
        .configure_title(
            anchor="start",
            color=_INK,
            subtitleColor=_PALE_INK,
            fontSize=12.5,
            subtitleFontSize=10.5,
            offset=8,
        )
        .configure_legend(
            orient="top",
            direction="horizontal",
            columns=8,
            symbolOpacity=1,
            offset=14,
            labelFontSize=11,
            titleFontSize=11,
            labelColor=_INK,
            titleColor=_INK,
            titleOrient="left",
            symbolSize=70,
        )
    )
    return chart.to_dict()


def _footnote(study: Study) -> alt.TitleParams:
    several = any(len(arm.runs) > 1 for arm in arms(study))
    lines = [
        "Bars: 95 % intervals over seeds; faint lines: seeds."
        if several
        else "Bars: 95 % intervals over items."
    ]
    if study.is_pocket:
        lines.append(
            "Pocket world: a toy policy of a million weights. It shows the method at work, and is no evidence about large models."
        )
    return alt.TitleParams(
        lines,
        orient="bottom",
        anchor="start",
        fontSize=9.5,
        fontWeight="normal",
        color=_PALE_INK,
        offset=16,
    )


def _panel(panel: Panel, shown: Sequence[Arm]) -> alt.LayerChart | alt.FacetChart:
    offsets = _offsets(len(shown))
    points = [row for arm, offset in zip(shown, offsets, strict=True) for row in _points(panel, arm, offset)]
    seeds = [
        row for arm, offset in zip(shown, offsets, strict=True) for row in _seeds(panel.measure, arm, offset)
    ]
    last = max((result.round for arm in shown for run in arm.runs for result in run.rounds), default=1)
    names = [arm.name for arm in shown]
    ticks = list(range(0, last + 1, max(1, -(-last // 8))))
    x_axis = alt.Axis(values=ticks, format="d", grid=False)
    x = alt.X("x:Q", title="round", scale=alt.Scale(domain=[-0.3, last + 0.3], nice=False), axis=x_axis)
    y_scale = alt.Scale(domain=_domain(panel, points), nice=False)
    y_axis = alt.Axis(tickCount=5, format=".1f", domain=False, ticks=False, minExtent=24)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=None, scale=y_scale, axis=y_axis)

    legend = alt.Legend(title=_legend_title(names))
    colour = alt.Color("arm:N", scale=alt.Scale(domain=names, range=_colours(len(names))), legend=legend)
    shapes = [_SHAPES[place % len(_SHAPES)] for place in range(len(names))]
    shape = alt.Shape("arm:N", scale=alt.Scale(domain=names, range=shapes), legend=legend)
    base = alt.Chart(alt.Data(values=points)).encode(x=x, color=colour)
    faint = alt.Chart(alt.Data(values=seeds)).encode(x=x, y=y("value"), color=colour, detail="run:N")
    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color="#9aa2ab", strokeDash=[3, 3])
    layers = [
        *([zero.encode(y=y("zero"))] if panel.is_difference else []),
        faint.mark_line(strokeWidth=1, opacity=0.35),
        base.mark_line(strokeWidth=2, opacity=0.85).encode(y=y("value")),
        base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(y=y("low"), y2="high:Q"),
        base.mark_point(filled=True, size=46, opacity=1).encode(y=y("value"), shape=shape),
    ]
    title = alt.TitleParams(panel.title, subtitle=[panel.subtitle, _sample(panel, shown)])
    return alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT, title=title)


def _sample(panel: Panel, shown: Sequence[Arm]) -> str:
    """Say how many items a mark rests on, and how many seeds where there are several."""
    rates = [result.measure(panel.measure) for arm in shown for run in arm.runs for result in run.rounds]
    counts = sorted({rate.n for rate in rates if rate.value is not None})
    if not counts:
        return "not measured"
    items = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
    seeds = max(len(arm.runs) for arm in shown)
    return f"n = {items}" if seeds == 1 else f"n = {items} × {seeds} seeds"


def _points(panel: Panel, arm: Arm, offset: float) -> Iterator[dict[str, Any]]:
    for number in sorted({result.round for run in arm.runs for result in run.rounds}):
        rates = [
            result.measure(panel.measure)
            for run in arm.runs
            for result in run.rounds
            if result.round == number
        ]
        mean = _over_seeds([rate for rate in rates if rate.value is not None])
        if mean.value is not None:
            row = {"arm": arm.name, "x": number + offset, "value": mean.value}
            yield row | {"low": _drawn(panel, mean.low), "high": _drawn(panel, mean.high)}


def _drawn(panel: Panel, bound: float | None) -> float | None:
    """Keep a t interval of rates, which knows no ends, inside the frame."""
    return bound if bound is None or panel.is_difference else min(1.0, max(0.0, bound))


def _over_seeds(rates: Sequence[Rate]) -> Rate:
    """Return one seed's rate as it is, several seeds' mean with a t interval over seeds."""
    if len(rates) == 1:
        return rates[0]
    mean = across_seeds([rate.value for rate in rates if rate.value is not None])
    return Rate(mean.difference, mean.low, mean.high, len(rates))


def _seeds(measure: str, arm: Arm, offset: float) -> Iterator[dict[str, Any]]:
    for run in arm.runs if len(arm.runs) > 1 else ():
        for result in run.rounds:
            value = result.measure(measure).value
            if value is not None:
                yield {"arm": arm.name, "run": run.run, "x": result.round + offset, "value": value}


def _offsets(count: int) -> list[float]:
    """Return how far each of `count` arms stands beside its round, so that no interval hides another."""
    return [_SPREAD * ((place + 0.5) / count - 0.5) for place in range(count)]


def _domain(panel: Panel, points: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return 0 to 1; for a difference further down, if an interval goes below 0."""
    if not panel.is_difference:
        return [0.0, 1.0]
    lowest = min((row["low"] for row in points if row["low"] is not None), default=0)
    return [max(-1.0, min(0.0, math.floor(lowest * 5) / 5)), 1.0]


def _legend_title(names: Sequence[str]) -> str:
    return "share of biased users, setting" if any("," in name for name in names) else "share of biased users"


def _colours(count: int) -> list[str]:
    """Return `count` colours spread evenly over the ramp."""
    if count == 1:
        return [_RAMP[0]]
    steps = [place * (len(_RAMP) - 1) / (count - 1) for place in range(count)]
    return [_mixed(step) for step in steps]


def _mixed(step: float) -> str:
    first = min(int(step), len(_RAMP) - 2)
    weight = step - first
    pairs = zip(_channels(_RAMP[first]), _channels(_RAMP[first + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * weight):02x}" for a, b in pairs)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))
