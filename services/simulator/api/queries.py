"""Query parameters that a route does not know are refused: a filter that is misspelt must not list everything."""

from typing import Any, cast

from fastapi import Request
from fastapi.routing import iter_route_contexts

from services.core.domain.complaints import near, one_line
from services.core.domain.errors import SpecError
from services.simulator.api.openapi import DescribedApi


def known_query(request: Request) -> None:
    """Let a request pass whose query the route's description knows. Raises `SpecError`, naming the parameter."""
    if not request.query_params:
        return
    known = _known(request.app, request.scope["endpoint"], request.method.lower())
    for name in request.query_params:
        if name not in known:
            guess = near(name, known)
            mend = (
                f"did you mean {guess}?" if guess else f"use {', '.join(known)}" if known else "leave it out"
            )
            raise SpecError(f"{one_line(name[:60])}: is no parameter here; {mend}")


def _known(app: DescribedApi, endpoint: object, method: str) -> list[str]:
    paths = cast("dict[str, Any]", app.openapi()["paths"])
    found = [
        paths[str(route.path_format)][method].get("parameters", [])
        for route in iter_route_contexts(app.routes)
        if route.endpoint is endpoint
    ]
    return [parameter["name"] for one in found for parameter in one if parameter["in"] == "query"]
