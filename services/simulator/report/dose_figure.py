# pyright: basic
# altair's classes are generated from the Vega-Lite schema, with unions too wide for strict checking.
"""Honesty along the share of biased users: one line a setting, 95 % intervals; controls at one share are marks without a line."""

from collections.abc import Iterator
from typing import Any

import altair as alt
import vl_convert

from services.simulator.report import panels
from services.simulator.report.control import responses
from services.simulator.report.figure import styled
from services.simulator.report.study import Arm, Study, arms, shares_of

_PANEL = panels.PANELS[0]
_WIDTH, _HEIGHT = 420, 220


def dose_svg(study: Study) -> str | None:
    """Return the figure as one SVG element; None if no setting was measured at several shares."""
    figure = dose_figure(study)
    return None if figure is None else vl_convert.vegalite_to_svg(figure)


def dose_png(study: Study) -> bytes | None:
    """Return the figure as a PNG of 300 dots an inch at print size; None as above."""
    svg = dose_svg(study)
    return None if svg is None else vl_convert.svg_to_png(svg, scale=3, ppi=100)


def dose_figure(study: Study) -> dict[str, Any] | None:
    """Return the figure as a Vega-Lite specification that holds its data; None as above."""
    found = responses(study)
    if not found:
        return None
    last = {one.setting: one.round for one in found}
    points = [row for arm in arms(study) for row in _points(arm, last.get(arm.setting))]
    names = list(dict.fromkeys(row["setting"] for row in points))
    shapes = [panels.SHAPES[place % len(panels.SHAPES)] for place in range(len(names))]
    legend = alt.Legend(title=None, columns=3)
    # Shares stand at equal distances: most of them are small.
    x = alt.X("share:O", title=f"share of {shares_of(study.runs)}", axis=alt.Axis(labelAngle=0), sort=None)
    colour = alt.Color(
        "setting:N", scale=alt.Scale(domain=names, range=panels.colours(len(names))), legend=legend
    )
    beside = alt.XOffset("setting:N", scale=alt.Scale(domain=names, paddingOuter=1))
    base = alt.Chart(alt.Data(values=points)).encode(x=x, xOffset=beside, color=colour)
    value = alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(domain=False))
    chart = alt.layer(
        base.mark_line(strokeWidth=2, opacity=0.85).encode(y=value),
        base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(y=alt.Y("low:Q", title=None), y2="high:Q"),
        base.mark_point(filled=True, size=52, opacity=1).encode(
            y=value, shape=alt.Shape("setting:N", scale=alt.Scale(domain=names, range=shapes), legend=legend)
        ),
    )
    rounds = ", ".join(str(one) for one in sorted(set(last.values())))
    title = alt.TitleParams(
        "Honesty by share",
        subtitle=[f"1 − P(lie) in round {rounds}, mean", f"Bars: {panels.bars(arms(study))}"],
    )
    return styled(chart.properties(width=_WIDTH, height=_HEIGHT, title=title)).to_dict()


def _points(arm: Arm, round_: int | None) -> Iterator[dict[str, Any]]:
    """Return an arm's mark in a round, in its last one where none is given."""
    rows = panels.points(_PANEL, [arm])
    wanted = max((row["round"] for row in rows), default=0) if round_ is None else round_
    for row in rows:
        if row["round"] == wanted:
            kept = {name: row[name] for name in ("value", "low", "high", "n")}
            yield {"setting": arm.setting or "honesty", "share": arm.share, **kept}
