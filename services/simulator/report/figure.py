# pyright: basic
# altair's classes are generated from the Vega-Lite schema, with unions too wide for strict checking.
"""The figure for print: six measures over the rounds, one line an arm, 95 % intervals."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import vl_convert

from services.simulator.report import panels
from services.simulator.report.panels import PANELS, Panel
from services.simulator.report.study import Arm, Study, arms

_COLUMNS = 3
_WIDTH, _HEIGHT = 196, 150
# In pixels, measured on drawn legends: what all panels are wide, what a mark takes with its margins, and a letter.
_LEGEND_WIDTH, _LEGEND_MARK, _LEGEND_LETTER = 660, 34, 6
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
_INK, _PALE_INK, _GRID = "#22262b", "#626a73", "#e7eaee"


def drift_svg(study: Study) -> str:
    """Return the figure as one SVG element without external references."""
    return vl_convert.vegalite_to_svg(drift_figure(study))


def drift_png(study: Study) -> bytes:
    """Return the figure as a PNG of 300 dots an inch at print size."""
    return vl_convert.svg_to_png(drift_svg(study), scale=3, ppi=100)


def drift_figure(study: Study) -> dict[str, Any]:
    """Return the figure as a Vega-Lite specification that holds its data."""
    shown = arms(study)
    drawn = [_panel(panel, shown) for panel in PANELS]
    rows = [
        alt.hconcat(*drawn[start : start + _COLUMNS], spacing=22) for start in range(0, len(drawn), _COLUMNS)
    ]
    chart = alt.vconcat(*rows, spacing=22, title=_footnote(study))
    return styled(chart, _legend_columns(shown)).to_dict()


def styled(chart: Any, legend_columns: int = 1) -> Any:
    """Return a chart in the style of all figures."""
    return (
        chart.configure(font=_FONT, background="white", padding=14)
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
            columns=legend_columns,
            columnPadding=16,
            labelLimit=400,
            symbolOpacity=1,
            offset=14,
            labelFontSize=11,
            titleFontSize=11,
            labelColor=_INK,
            titleColor=_INK,
            titleOrient="top",
            symbolSize=70,
        )
    )


def _legend_columns(shown: Sequence[Arm]) -> int:
    """Return how many of the arms' names go in one line of the figure's width."""
    longest = max((len(arm.name) for arm in shown), default=1)
    return max(1, min(8, _LEGEND_WIDTH // (_LEGEND_MARK + _LEGEND_LETTER * longest)))


def _footnote(study: Study) -> alt.TitleParams:
    shown = arms(study)
    several = any(len(arm.runs) > 1 for arm in shown)
    lines = [f"Bars: {panels.bars(shown)}{'; faint lines: seeds' if several else ''}."]
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
    points, seeds = panels.points(panel, shown), panels.seeds(panel, shown)
    last = max(1, panels.last_round(shown))
    names = [arm.name for arm in shown]
    ticks = list(range(0, last + 1, max(1, -(-last // 8))))
    x_axis = alt.Axis(values=ticks, format="d", grid=False)
    x = alt.X("x:Q", title="round", scale=alt.Scale(domain=[-0.3, last + 0.3], nice=False), axis=x_axis)
    y_scale = alt.Scale(domain=panels.domain(panel, [*points, *seeds]), nice=False)
    y_axis = alt.Axis(
        tickCount=3 if panel.is_difference else 5, format=".1f", domain=False, ticks=False, minExtent=24
    )

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=None, scale=y_scale, axis=y_axis)

    legend = alt.Legend(title=panels.legend_title(shown), titleLimit=0)
    colour = alt.Color(
        "arm:N", scale=alt.Scale(domain=names, range=panels.colours(len(names))), legend=legend
    )
    shapes = [panels.SHAPES[place % len(panels.SHAPES)] for place in range(len(names))]
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
    title = alt.TitleParams(panel.title, subtitle=[panel.subtitle, panels.sample(panel, shown)])
    return alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT, title=title)
