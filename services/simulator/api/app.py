"""The API as an application: routes, errors, limits. What it works on is given in `ApiState`."""

from importlib.metadata import version

from fastapi import Depends

from services.simulator.api import (
    adapters,
    compare,
    drift,
    evaluations,
    events,
    exports,
    health,
    launches,
    metrics,
    problems,
    runs,
    scenarios,
    selections,
    sweeps,
    tokens,
    trajectories,
)
from services.simulator.api.boundary import Boundary
from services.simulator.api.openapi import DescribedApi
from services.simulator.api.queries import known_query
from services.simulator.api.state import ApiState
from services.simulator.pages.site import add_pages

_READS = (trajectories, selections, adapters, evaluations, drift, compare, exports)


def create_api(state: ApiState) -> DescribedApi:
    """Return the ASGI application."""
    app = DescribedApi(
        title="driftloop",
        version=version("driftloop"),
        summary="Does training an assistant on its users' satisfaction make it dishonest?",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # it would load its scripts from elsewhere
        redoc_url=None,
    )
    app.state.api = state
    app.state.metrics = metrics.Metrics(app)
    problems.add_handlers(app)
    app.add_middleware(Boundary, is_open=state.settings.auth == "open", metrics=app.state.metrics)
    app.include_router(health.router)
    app.include_router(metrics.router)
    for noun in (runs, launches, events, sweeps, scenarios, tokens, *_READS):
        app.include_router(noun.router, prefix="/v1", dependencies=[Depends(known_query)])
    add_pages(app)
    return app
