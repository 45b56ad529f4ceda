"""Who may call: a bearer token with a scope, or anybody in an open (loopback) service.

Browsers carry the same token in a cookie, for pages. A cookie is sent by the browser whoever made it ask, so it may only
read; what changes something needs the header, or a page's form, which checks where it was sent from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from services.core.db import tokens
from services.core.db.session import transaction
from services.core.domain.access import Scope
from services.core.domain.errors import Forbidden, Unauthorised
from services.simulator.api.state import ApiState, State

COOKIE = "driftloop_token"
_HEADER = HTTPBearer(auto_error=False, description="A token from `driftloop tokens create`.")
_BROWSER = APIKeyCookie(
    name=COOKIE, auto_error=False, description="The same token, for pages; may only read."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    scope: Scope


ANYBODY = Caller("anybody", Scope.ADMIN)
"""The caller of an open service."""


def caller_of(state: ApiState, secret: str | None) -> Caller:
    """Return who bears this token. Raises `Unauthorised`."""
    if state.settings.auth == "open":
        return ANYBODY
    if secret is None:
        raise Unauthorised(
            "a token is missing; set DRIFTLOOP_TOKEN, or send `Authorization: Bearer …` (`driftloop tokens create` makes one)"
        )
    with transaction(state.engine) as session:
        token = tokens.find(session, secret)
    if token is None:
        raise Unauthorised("this token is not valid here; `driftloop tokens create` makes one")
    return Caller(token.name, token.scope)


def _needs(scope: Scope) -> Callable[..., Caller]:
    def check(
        request: Request,
        state: State,
        header: Annotated[HTTPAuthorizationCredentials | None, Security(_HEADER)],
        cookie: Annotated[str | None, Security(_BROWSER)],
    ) -> Caller:
        is_reading = request.method in {"GET", "HEAD"}
        secret = header.credentials if header else cookie if is_reading else None
        caller = caller_of(state, secret)
        if not caller.scope.holds(scope):
            raise Forbidden(f"this needs a token of scope {scope}; {caller.name!r} has {caller.scope}")
        return caller

    check.__name__ = f"needs_{scope}"
    return check


Reader = Annotated[Caller, Depends(_needs(Scope.READ))]
Launcher = Annotated[Caller, Depends(_needs(Scope.LAUNCH))]
Admin = Annotated[Caller, Depends(_needs(Scope.ADMIN))]
