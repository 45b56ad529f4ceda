"""Asking for pages as a browser does."""

from collections.abc import Mapping

from httpx2 import Response

from services.core.domain.access import Scope
from services.simulator.api.auth import COOKIE
from tests.simulator.api.service import Api

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def visit(api: Api, path: str, **more: Mapping[str, str]) -> Response:
    """Ask for a page; follow no redirect."""
    return api.client.get(path, headers=BROWSER | dict(more.get("headers", {})), follow_redirects=False)


def send(api: Api, path: str, form: Mapping[str, str], origin: str | None = None) -> Response:
    """Send a form from one of our pages, or from another origin."""
    here = origin or str(api.client.base_url).rstrip("/")
    return api.client.post(path, data=dict(form), headers=BROWSER | {"Origin": here}, follow_redirects=False)


def let_in(api: Api, scope: Scope) -> None:
    """Put a token of this scope into the browser's cookie."""
    secret = api.bearer(scope)["Authorization"].removeprefix("Bearer ")
    api.client.cookies.set(COOKIE, secret)
