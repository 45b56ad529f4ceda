"""The way in and out: a token becomes a cookie, which the browser sends and no script reads.

A link with `?token=` is answered by the cookie and a redirect, so the token leaves the address
bar. A form that changes something must come from one of these pages: its Origin must be this host.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from services.core.domain.access import Scope
from services.core.domain.errors import Forbidden, Unauthorised
from services.simulator.api.auth import COOKIE, Caller, caller_of
from services.simulator.api.state import State
from services.simulator.pages.look import page

router = APIRouter(include_in_schema=False)
_KEPT_FOR_S = 90 * 24 * 3600


def from_here(request: Request) -> None:
    """Let a form pass that one of our own pages sent. Raises `Forbidden`."""
    origin = request.headers.get("origin")
    if origin is None or urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("this form was sent from elsewhere; open the page on this service and send it there")


def _sender(scope: Scope) -> Callable[..., Caller]:
    def check(request: Request, state: State, _: Annotated[None, Depends(from_here)]) -> Caller:
        caller = caller_of(state, request.cookies.get(COOKIE))
        if not caller.scope.holds(scope):
            raise Forbidden(f"this needs a token of scope {scope}; {caller.name!r} has {caller.scope}")
        return caller

    check.__name__ = f"needs_{scope}"
    return check


Sender = Annotated[Caller, Depends(_sender(Scope.LAUNCH))]
"""Who sent a form that launches, cancels or resumes."""


@router.get("/login")
def show_login(
    request: Request,
    state: State,
    token: str | None = None,
    target: Annotated[str, Query(alias="next")] = "/",
) -> Response:
    """Return the page that asks for a token; a link that holds one lets in at once."""
    if state.settings.auth == "open":
        return RedirectResponse(_safe(target), HTTPStatus.SEE_OTHER)
    return _let_in(request, state, token, target) if token else _ask(request, target)


@router.post("/login", dependencies=[Depends(from_here)])
def log_in(
    request: Request,
    state: State,
    token: Annotated[str, Form()],
    target: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Keep a valid token in the cookie, and go where the visitor wanted to go."""
    return _let_in(request, state, token.strip(), target)


@router.post("/logout", dependencies=[Depends(from_here)])
def log_out() -> Response:
    """Forget the token."""
    gone = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    gone.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return gone


def _let_in(request: Request, state: State, token: str, target: str) -> Response:
    try:
        caller_of(state, token)
    except Unauthorised as error:
        return _ask(request, target, str(error))
    found = RedirectResponse(_safe(target), HTTPStatus.SEE_OTHER)
    is_secure = request.url.scheme == "https"
    found.set_cookie(COOKIE, token, _KEPT_FOR_S, httponly=True, samesite="strict", secure=is_secure)
    return found


def _ask(request: Request, target: str, complaint: str = "") -> Response:
    status = HTTPStatus.UNAUTHORIZED if complaint else HTTPStatus.OK
    return page(request, None, "login", status, target=_safe(target), complaint=complaint)


def _safe(target: str) -> str:
    """Return a target on this service; anything that could lead elsewhere becomes the start page."""
    is_ours = target.startswith("/") and not target.startswith("//") and "\\" not in target
    return target if is_ours and target.isprintable() else "/"
