"""One shape for everything that goes wrong: application/problem+json (RFC 9457), or a page for who asks for one.

Expected failures are `LoopError`s, answered under their status. Anything else is a 500 that says nothing of its cause but a
number to look for in the log.
"""

import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from services.core.domain.errors import LoopError
from services.core.rest.models import FieldProblem, Problem
from services.simulator.pages.failures import problem_page, wants_page

MEDIA_TYPE = "application/problem+json"
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
    app.add_exception_handler(Exception, _unexpected)


def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, LoopError)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else None
    return problem(request, error.status, error.type, str(error), headers=headers)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = tuple(
        FieldProblem(field=".".join(str(part) for part in found["loc"]), detail=found["msg"])
        for found in error.errors()
    )
    detail = "; ".join(f"{found.field}: {found.detail}" for found in fields)
    return problem(request, 422, "bad_request", detail, fields)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = HTTPStatus(error.status_code).name.lower()
    return problem(request, error.status_code, kind, str(error.detail), headers=error.headers)


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
        detail=detail,
        instance=request.url.path,
        errors=errors,
    )
    if wants_page(request):
        return problem_page(request, body, headers)
    return JSONResponse(body.model_dump(mode="json"), status, headers, media_type=MEDIA_TYPE)
