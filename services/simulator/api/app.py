"""The API as an application: routes, errors, limits. What it works on is given in `ApiState`."""

from importlib.metadata import version

from services.simulator.api import (
    compare,
    drift,
    events,
    exports,
    health,
    launches,
    problems,
    runs,
    scenarios,
    sweeps,
    tokens,
    trajectories,
)
from services.simulator.api.openapi import DescribedApi
from services.simulator.api.state import ApiState
from services.simulator.pages.site import add_pages

MAX_BODY_BYTES = 1 << 20
"""A spec is a few kilobytes; nothing that is sent here is long."""


def create_api(state: ApiState) -> DescribedApi:
    """Return the ASGI application."""
    app = DescribedApi(
        title="driftloop",
        version=version("driftloop"),
        summary="Does training an assistant on its users' satisfaction make it dishonest?",
        openapi_url="/v1/openapi.json",
        docs_url="/v1/docs",
        redoc_url=None,
        max_body_size=MAX_BODY_BYTES,
    )
    app.state.api = state
    problems.add_handlers(app)
    app.include_router(health.router)
    for noun in (runs, launches, events, sweeps, trajectories, drift, compare, scenarios, exports, tokens):
        app.include_router(noun.router, prefix="/v1")
    add_pages(app)
    return app
