"""A real browser on the real pages: Debian's chromium, driven by Playwright, on a service of its own.

A page that complains (a script that fails, something that the content policy forbids) fails the test that opened it.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from sqlalchemy import Engine

from services.app.catalogue import Catalogue
from services.app.serving import public_listener, served
from services.core.db import tokens
from services.core.db.session import transaction
from services.core.domain.access import Scope
from services.core.settings import Settings
from services.simulator.api.app import create_api
from services.simulator.api.state import ApiState

ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """Return the browser that CHROMIUM names, or that is on the path."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@dataclass(frozen=True)
class Site:
    """A service with pages, and a token that may launch."""

    url: str
    engine: Engine
    token: str


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one module: while Playwright runs, no other test could run an event loop in this thread."""
    path = chromium()
    if path is None:
        pytest.skip("no browser is installed: `apt-get install chromium`, or name one in CHROMIUM")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS])
        yield opened
        opened.close()


@pytest.fixture
def site(engine: Engine, tmp_path: Path) -> Iterator[Site]:
    settings = Settings.model_validate({"data": tmp_path, "auth": "tokens"})
    app = create_api(ApiState(engine, settings, Catalogue(settings), lambda _: None))
    with transaction(engine) as session:
        token = tokens.create(session, "browser", Scope.LAUNCH)
    listener = public_listener("127.0.0.1", 0)
    host, port = listener.getsockname()
    with served(app, listener):
        yield Site(f"http://{host}:{port}", engine, token)


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A visitor who has come in by the link that holds the token."""
    context = browser.new_context(base_url=site.url, viewport={"width": 1400, "height": 900})
    opened = context.new_page()
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # That the page itself is a 4xx is no complaint of it.
        is_own_status = message.text.startswith("Failed to load") and message.location["url"] == opened.url
        if message.type in {"error", "warning"} and not is_own_status:
            complaints.append(message.text)

    opened.on("console", hear)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(f"/login?token={site.token}")
    yield opened
    context.close()
    assert complaints == []
