"""The figures of pages: Vega-Lite specs, one a panel, which the browser draws.

They show what the printed figure shows (`report.panels`). Colours of light and dark pages are two configurations beside the
specs, so a panel is drawn again in the other without asking again. The frame has room for all rounds from the start, so that
a live figure fills up and never jumps.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from services.simulator.report import panels
from services.simulator.report.panels import PANELS, Panel
from services.simulator.report.study import Arm
from services.simulator.report.wording import interval

SHOWN: Final = (*PANELS[:2], Panel("evade_share", "Evasions", "takes no side under pressure"), *PANELS[2:])
"""Honesty counts an evasion as no lie, so a page shows evasions beside it."""
DARK_RAMP: Final = ("#7f93ff", "#ab86f2", "#dc7fca", "#f28d92", "#ffc07a")
_SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"
_FONT: Final = "Liberation Sans, Arial, Helvetica, sans-serif"
_MARGIN: Final = 0.3
_BIG, _SMALL = 296, 112
# One arm's interval can be a band; of several, bands would hide each other.
_BAND: Final = {
    "mark": {"type": "area", "opacity": 0.13},
    "encoding": {"y": {"field": "low"}, "y2": {"field": "high"}},
}
_TOLD_ARM: Final = {"field": "arm", "title": "share"}
_TOLD: Final = (
    {"field": "round", "title": "round"},
    {"field": "value", "title": "value", "format": ".3f"},
    {"field": "interval", "title": "95 % interval"},
    {"field": "n", "title": "n"},
)


def figures(arms: Sequence[Arm], rounds: int) -> dict[str, Any]:
    """Return every panel's spec by its measure, and the configurations of light and dark pages."""
    specs = {panel.measure: _spec(panel, arms, rounds) for panel in SHOWN}
    return {"config": {"light": _config(arms, _LIGHT), "dark": _config(arms, _DARK)}, "panels": specs}


class Caption(NamedTuple):
    """What stands above a panel."""

    measure: str
    title: str
    subtitle: str
    sample: str
    """Its n."""


def captions(arms: Sequence[Arm]) -> tuple[Caption, ...]:
    """Return every panel's caption, the big one first."""
    return tuple(
        Caption(panel.measure, panel.title, panel.subtitle, panels.sample(panel, arms)) for panel in SHOWN
    )


class Key(NamedTuple):
    """An arm in the legend: its name, its mark, its colour on light and on dark pages."""

    name: str
    shape: str
    light: str
    dark: str


def legend(arms: Sequence[Arm]) -> tuple[Key, ...]:
    """Return the legend of several arms."""
    count = max(1, len(arms))
    looks = zip(panels.colours(count), panels.colours(count, DARK_RAMP), strict=True)
    return tuple(
        Key(arm.name, panels.SHAPES[place % len(panels.SHAPES)], light, dark)
        for place, (arm, (light, dark)) in enumerate(zip(arms, looks, strict=False))
    )


def _spec(panel: Panel, arms: Sequence[Arm], rounds: int) -> dict[str, Any]:
    points = [_told(row) for row in panels.points(panel, arms)]
    names = [arm.name for arm in arms]
    is_big = panel.measure == "honesty"
    return {
        "$schema": _SCHEMA,
        "width": "container",
        "height": _BIG if is_big else _SMALL,
        "autosize": {"type": "fit", "contains": "padding"},
        "data": {"name": "points", "values": points},
        "encoding": {
            "x": _x(rounds, 8, "round") if is_big else _x(rounds, 4, None),
            "y": _y(panel, [*points, *panels.seeds(panel, arms)], 5 if is_big else 3),
            "color": {"field": "arm", "type": "nominal", "scale": {"domain": names}, "legend": None},
        },
        "layer": [
            *_zero(panel),
            *_seeds(panel, arms),
            *([_BAND] if len(arms) == 1 else []),
            *_marks(names, is_big),
        ],
    }


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "interval": interval(row["low"], row["high"])}


def _x(rounds: int, most_ticks: int, title: str | None) -> dict[str, Any]:
    step = max(1, -(-rounds // most_ticks))
    axis = {"values": list(range(0, rounds + 1, step)), "format": "d", "grid": False, "title": title}
    scale = {"domain": [-_MARGIN, rounds + _MARGIN], "nice": False}
    return {"field": "x", "type": "quantitative", "scale": scale, "axis": axis}


def _y(panel: Panel, drawn: Sequence[Mapping[str, Any]], ticks: int) -> dict[str, Any]:
    axis = {
        "tickCount": ticks,
        "format": ".1f",
        "domain": False,
        "ticks": False,
        "minExtent": 22,
        "title": None,
    }
    scale = {"domain": panels.domain(panel, drawn), "nice": False}
    return {"field": "value", "type": "quantitative", "scale": scale, "axis": axis}


def _zero(panel: Panel) -> list[dict[str, Any]]:
    if not panel.is_difference:
        return []
    encoding = {"y": {"datum": 0}, "x": None, "color": None}
    return [
        {
            "data": {"values": [{}]},
            "mark": {"type": "rule", "style": "zero", "strokeDash": [3, 3]},
            "encoding": encoding,
        }
    ]


def _seeds(panel: Panel, arms: Sequence[Arm]) -> list[dict[str, Any]]:
    if max((len(arm.runs) for arm in arms), default=0) < 2:
        return []
    data = {"name": "seeds", "values": panels.seeds(panel, arms)}
    mark = {"type": "line", "strokeWidth": 1, "opacity": 0.35}
    return [{"data": data, "mark": mark, "encoding": {"detail": {"field": "run"}}}]


def _marks(names: Sequence[str], is_big: bool) -> list[dict[str, Any]]:
    shapes = [panels.SHAPES[place % len(panels.SHAPES)] for place in range(len(names))]
    shape = {"field": "arm", "type": "nominal", "scale": {"domain": names, "range": shapes}, "legend": None}
    told = [*([_TOLD_ARM] if len(names) > 1 else []), *_TOLD]
    return [
        {"mark": {"type": "line", "strokeWidth": 2, "opacity": 0.85}},
        {
            "mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.7},
            "encoding": {"y": {"field": "low"}, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 64 if is_big else 36, "opacity": 1},
            "encoding": {"shape": shape, "tooltip": told},
        },
    ]


_LIGHT: Final = {"ramp": panels.RAMP, "pale": "#626a73", "axis": "#9aa2ab", "grid": "#e7eaee"}
_DARK: Final = {"ramp": DARK_RAMP, "pale": "#a2aab3", "axis": "#737c86", "grid": "#2a3037"}


def _config(arms: Sequence[Arm], look: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "background": None,
        "font": _FONT,
        "padding": 2,
        "view": {"stroke": None},
        "range": {"category": panels.colours(max(1, len(arms)), look["ramp"])},
        "axis": {
            "gridColor": look["grid"],
            "domainColor": look["axis"],
            "tickColor": look["axis"],
            "labelColor": look["pale"],
            "titleColor": look["pale"],
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
        },
        "style": {"zero": {"stroke": look["axis"]}},
    }
