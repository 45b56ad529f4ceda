"""One shape for everything that goes wrong: application/problem+json (RFC 9457), or a page for who asks for one.

Expected failures are `LoopError`s, answered under their status. Anything else is a 500 that says nothing of its cause but a
number to look for in the log.
"""

import re
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from services.core.domain.complaints import one_line, shown
from services.core.domain.errors import DatabaseError, LoopError, SpecError
from services.core.rest.models import FieldProblem, Problem
from services.simulator.pages.failures import problem_page, wants_page

MEDIA_TYPE = "application/problem+json"
_NO_JSON = "is no JSON; send a JSON object with the header Content-Type: application/json"
_NAMED = re.compile(r"([A-Za-z_][\w.\[\]-]{0,80}): (.+)")
_UNKNOWN = "{value} is not known; use {expected}"
_OBJECT = "{value} stands where a JSON object belongs; send one"
_MENDS: Final = {
    "missing": "is missing; add it",
    "enum": _UNKNOWN,
    "literal_error": _UNKNOWN,
    "int_parsing": "{value} is no whole number; use one",
    "int_from_float": "{value} is no whole number; use one",
    "float_parsing": "{value} is no number; use one",
    "finite_number": "{value} is no number; use one",
    "bool_parsing": "{value} is neither true nor false; use one of them",
    "greater_than_equal": "{value} is too small; use at least {ge:,}",
    "greater_than": "{value} is too small; use more than {gt:,}",
    "less_than_equal": "{value} is too large; use at most {le:,}",
    "string_too_short": "is empty; write it, or leave it off",
    "string_too_long": "is too long; use at most {max_length} characters",
    "string_pattern_mismatch": "holds a character that it can't hold; leave it out",
    "too_long": "names too many; give at most {max_length}",
    "dict_type": _OBJECT,
    "model_attributes_type": _OBJECT,
}
"""What is said of a value that does not fit, by pydantic's name of the misfit; of others, pydantic's own words."""
log = structlog.get_logger()


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may answer these problems; `openapi.py` adds what any route may."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def add_handlers(app: FastAPI) -> None:
    """Answer every failure of `app` as a problem."""
    app.add_exception_handler(LoopError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _busy)
    app.add_exception_handler(Exception, _unexpected)


def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, LoopError)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else None
    return problem(request, error.status, error.type, str(error), _fields(error), headers)


def _fields(error: LoopError) -> tuple[FieldProblem, ...]:
    """Return the field that a spec error's line begins with."""
    named = _NAMED.fullmatch(str(error)) if isinstance(error, SpecError) else None
    return () if named is None else (FieldProblem(field=named[1], detail=named[2]),)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):
        fields = (FieldProblem(field="body", detail=_NO_JSON),)
    else:
        fields = tuple(map(_field, error.errors()))
    detail = "; ".join(f"{found.field}: {found.detail}" for found in fields)
    return problem(request, 422, "bad_request", detail, fields)


def _field(found: Mapping[str, Any]) -> FieldProblem:
    """Return a field by the name that the caller knows it under, without the part of the request that it is in."""
    place, *inner = (str(part) for part in found["loc"])
    is_text = found["type"] == "json_invalid"
    if is_text or not inner:
        detail = f"is no JSON: {found['ctx']['error']}" if is_text else _mend(found)
        return FieldProblem(field=place, detail=one_line(detail))
    # A parameter that is given several times has no places to speak of.
    name = inner[0] if place == "query" else ".".join(inner)
    return FieldProblem(field=one_line(name), detail=one_line(_mend(found)))


def _mend(found: Mapping[str, Any]) -> str:
    said = _MENDS.get(found["type"])
    return found["msg"] if said is None else said.format(value=shown(found["input"]), **found.get("ctx", {}))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:  # a body that could not even be parsed
        field = FieldProblem(field="body", detail="is no JSON that can be read; write it more plainly")
        return problem(request, 422, "bad_request", f"{field.field}: {field.detail}", (field,))
    kind = HTTPStatus(error.status_code).name.lower()
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request))
    return problem(request, error.status_code, kind, str(error.detail), headers=headers)


def _methods(request: Request) -> list[str]:
    """Return how this address may be asked: by the methods of all its routes, of which the router tells the first's."""
    routes = iter_route_contexts(request.app.routes)
    here = [route for route in routes if route.path_regex.match(request.scope["path"])]
    return sorted({method for route in here for method in route.methods or ()})


def _busy(request: Request, error: Exception) -> Response:
    log.warning("the database refused", path=request.url.path, exc_info=error)
    return problem(request, 503, DatabaseError.type, "the database is busy or away; try again in a moment")


def _unexpected(request: Request, error: Exception) -> Response:
    number = uuid.uuid4().hex[:12]
    log.error("request failed", number=number, path=request.url.path, exc_info=error)
    return problem(request, 500, "internal", f"something went wrong here; the log has it under {number}")


def problem(
    request: Request,
    status: int,
    kind: str,
    detail: str,
    errors: tuple[FieldProblem, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem as a response."""
    body = Problem(
        type=f"urn:driftloop:{kind}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=one_line(detail),
        instance=one_line(request.url.path),
        errors=errors,
    )
    if wants_page(request):
        return problem_page(request, body, headers)
    return JSONResponse(body.model_dump(mode="json"), status, headers, media_type=MEDIA_TYPE)
