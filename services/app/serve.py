"""`driftloop serve`: the whole service in one process tree: API, pages, workers, the pocket policy, and a Postgres.

For a laptop, or one machine of a lab. It works whatever is owed, also what others launch over REST, until Ctrl-C, and then
stops everything in order: first no more requests, then the workers, which hand back what they have in hand, then Postgres.
The link that it prints carries a token of its own, which ends with it.
"""

import socket
import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from sqlalchemy import Engine

from services.app.api import check_binding, is_loopback, make_api
from services.app.database import open_database
from services.app.logs import log_to_file
from services.app.serving import public_listener, served
from services.app.work import TEND_EVERY_S, at_work
from services.core.db import tokens
from services.core.db.session import transaction
from services.core.domain.access import Scope
from services.core.domain.errors import NotFound
from services.core.settings import Settings


def serve(settings: Settings, host: str, port: int, console: Console) -> None:
    """Serve until interrupted. Raises `SpecError` for an address that can't be had or must not be open."""
    check_binding(settings, host)
    listener = public_listener(host, port)
    port = listener.getsockname()[1]
    with listener, open_database(settings) as database:
        log_to_file(settings)
        app = make_api(settings, database.engine)
        with (
            guest(database.engine, host, port, settings.auth == "open") as token,
            at_work(settings, database) as tend,
            served(app, listener),
        ):
            _tell(console, _url(host, port), token)
            try:
                while True:
                    tend()
                    time.sleep(TEND_EVERY_S)
            except KeyboardInterrupt:
                console.print("stopping; runs go on when it is started again", style="dim")


@contextmanager
def guest(engine: Engine, address: str, port: int, is_open: bool) -> Generator[str | None]:
    """Make a token for whoever started this service, for as long as it lasts; none for an open one."""
    if is_open:
        yield None
        return
    name = f"serve-{socket.gethostname()}-{address}-{port}"
    _revoke(engine, name)  # left by a killed one: nobody else can have this address now
    with transaction(engine) as session:
        secret = tokens.create(session, name, Scope.ADMIN)
    try:
        yield secret
    finally:
        _revoke(engine, name)


def _revoke(engine: Engine, name: str) -> None:
    try:
        with transaction(engine) as session:
            tokens.revoke(session, name)
    except NotFound:
        return


def _url(host: str, port: int) -> str:
    reached = host if is_loopback(host) else "127.0.0.1" if host in {"0.0.0.0", "::"} else host
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def _tell(console: Console, url: str, token: str | None) -> None:
    lines = [
        f"driftloop serves at {url}; Ctrl-C stops it.",
        f"In a browser:   {url}/login?token={token}" if token else f"In a browser:   {url}/",
        f"On a terminal:  export DRIFTLOOP_URL={url}" + (f" DRIFTLOOP_TOKEN={token}" if token else ""),
        "Over REST:      curl "
        + ('-H "Authorization: Bearer $DRIFTLOOP_TOKEN" ' if token else "")
        + "$DRIFTLOOP_URL/v1/runs",
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
