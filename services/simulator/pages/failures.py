"""What goes wrong, as a page: for browsers, in the look of the other pages; without a token, the way in.

Programs, and whoever asks below `/v1`, get the same problem as JSON.
"""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote

from fastapi import Request
from sqlalchemy.exc import OperationalError
from starlette.responses import RedirectResponse, Response

from services.core.domain.errors import DatabaseError, Unauthorised
from services.core.rest.models import Problem
from services.simulator.api.auth import COOKIE, Caller, caller_of
from services.simulator.api.state import get_state
from services.simulator.pages.look import page


def wants_page(request: Request) -> bool:
    """Tell whether a browser asks for a page."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")


def problem_page(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as a page; one of a missing token leads to where it can be given."""
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return RedirectResponse(f"/login?next={quote(_here(request))}", HTTPStatus.SEE_OTHER)
    # What failed here may be the database: a page about that must not ask it who is reading.
    visitor = None if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else _visitor(request)
    shown = page(request, visitor, "problem", problem.status, problem=problem)
    shown.headers.update(headers or {})
    return shown


def _visitor(request: Request) -> Caller | None:
    """Return who asks, so that the page has its navigation; None for whoever is not let in, or while nobody can tell."""
    try:
        return caller_of(get_state(request), request.cookies.get(COOKIE))
    except (Unauthorised, DatabaseError, OperationalError):
        return None


def _here(request: Request) -> str:
    """Return the address to come back to; a form that was sent can't be asked for again."""
    if request.method != "GET":
        return "/"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
