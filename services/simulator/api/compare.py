"""Several runs on one page: as data, as a report, as a figure.

What draws is imported when something is drawn: it takes as long as the rest of the API.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import HTMLResponse

from services.core.domain.errors import SpecError
from services.core.operations.provenance import provenance
from services.core.operations.studies import Named, named
from services.core.rest.studies import StudyView
from services.simulator.api.auth import Reader
from services.simulator.api.naming import Name
from services.simulator.api.problems import documented
from services.simulator.api.state import Database
from services.simulator.report.gather import read_study
from services.simulator.report.wire import study_view

MOST_NAMES = 200
_FIGURE = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    "mark": "line",
    "data": {"values": [{"round": 0, "value": 0.72}]},
}
_REPORT = {
    "format": "driftloop-report-1",
    "findings": ["With a biased share of 1, honesty fell."],
    "equivalence": [{"arm": "1", "measure": "capability", "margin": 0.1, "is_equivalent": True}],
}
# What is answered here is shown by browsers as it is: it may style itself, and nothing else.
_STILL = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"}

router = APIRouter(prefix="/compare", tags=["compare"])


def _image(kind: str) -> dict[int | str, dict[str, Any]]:
    return documented(404, 409) | {200: {"content": {f"image/{kind}": {}}, "description": "The figure."}}


def named_runs(
    _: Reader,
    session: Database,
    run: Annotated[tuple[Name, ...], Query(max_length=MOST_NAMES, description="Runs to compare.")] = (),
    sweep: Annotated[
        tuple[Name, ...], Query(max_length=MOST_NAMES, description="Sweeps: all their runs.")
    ] = (),
) -> Named:
    """Return the runs that a query names. Raises `NotFound`, `SpecError`."""
    if not run and not sweep:
        raise SpecError("run: none is named; give `run=…` or `sweep=…`, several times if you like")
    return named(session, (*sweep, *run))


Runs = Annotated[Named, Depends(named_runs, scope="function")]


@router.get("", summary="Compare runs", responses=documented(404, 409))
def compare(session: Database, runs: Runs) -> StudyView:
    """Return every measured round of the runs, with every measure and its changes."""
    return study_view(read_study(session, runs.title, runs.runs))


@router.get(
    "/report.html",
    summary="The report of some runs",
    response_class=HTMLResponse,
    responses=documented(404, 409),
)
def report(session: Database, runs: Runs) -> HTMLResponse:
    """Return one page that needs nothing but itself: figure, tables, conversations, spec."""
    from services.simulator.report.page import report_html

    study = read_study(session, runs.title, runs.runs, with_conversations=True)
    return HTMLResponse(report_html(study, provenance(session, runs.runs)), headers=_STILL)


@router.get(
    "/report.json",
    summary="The report of some runs, for programs",
    responses=documented(404, 409) | {200: {"content": {"application/json": {"example": _REPORT}}}},
)
def report_for_programs(session: Database, runs: Runs) -> dict[str, Any]:
    """Return what the report says as data: measures, controls, equivalence, cost, provenance, the paper's numbers asked again.

    It quotes no benchmark item and no conversation.
    """
    from services.simulator.report.report_json import report_json

    return report_json(read_study(session, runs.title, runs.runs), provenance(session, runs.runs))


@router.get(
    "/figure.json",
    summary="The figure of some runs as Vega-Lite",
    responses=documented(404, 409) | {200: {"content": {"application/json": {"example": _FIGURE}}}},
)
def figure(session: Database, runs: Runs) -> dict[str, Any]:
    """Return a Vega-Lite specification with its data."""
    from services.simulator.report.figure import drift_figure

    return drift_figure(read_study(session, runs.title, runs.runs))


@router.get(
    "/figure.svg",
    summary="The figure of some runs as SVG",
    response_class=Response,
    responses=_image("svg+xml"),
)
def figure_svg(session: Database, runs: Runs) -> Response:
    """Return the figure for a page."""
    from services.simulator.report.figure import drift_svg

    svg = drift_svg(read_study(session, runs.title, runs.runs))
    return Response(svg, media_type="image/svg+xml", headers=_STILL)


@router.get(
    "/figure.png", summary="The figure of some runs as PNG", response_class=Response, responses=_image("png")
)
def figure_png(session: Database, runs: Runs) -> Response:
    """Return the figure for print: 300 dots an inch."""
    from services.simulator.report.figure import drift_png

    return Response(drift_png(read_study(session, runs.title, runs.runs)), media_type="image/png")
