"""The REST API as a process of its own, on a Postgres that is migrated already: `driftloop api`.

`docker compose` runs it; `make_api` is also what an embedded service serves. Who may ask is decided by tokens. A service that
is open to everybody is refused on any address that other machines reach.
"""

import ipaddress
from typing import Any

import uvicorn
from sqlalchemy import Engine

from services.app.catalogue import Catalogue
from services.app.serving import LAST_ANSWERS_S, public_listener
from services.core.db.session import open_engine
from services.core.domain.errors import SpecError
from services.core.queue.worker import Ring
from services.core.settings import Settings
from services.simulator.api.app import create_api
from services.simulator.api.state import ApiState


def make_api(settings: Settings, engine: Engine) -> Any:
    """Return the ASGI application on an open database."""
    return create_api(ApiState(engine, settings, Catalogue(settings), ring(engine, settings.redis_url)))


def serve_api(settings: Settings, database_url: str, host: str, port: int) -> None:
    """Serve until told to stop (SIGTERM, Ctrl-C). Raises `SpecError` for a setting or an address that does not allow it."""
    check_binding(settings, host)
    engine = open_engine(database_url)
    try:
        with public_listener(host, port) as listener:
            config = uvicorn.Config(
                make_api(settings, engine),
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=LAST_ANSWERS_S,
            )
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        engine.dispose()


def ring(engine: Engine, redis_url: str | None) -> Ring:
    """Return what wakes queue workers for runs, to be called after the commit that owes work; it never fails."""
    if redis_url is None:
        return lambda _run_ids: None  # inline workers look for work themselves
    from services.core.queue.bell import open_redis, ring_after_commit

    return ring_after_commit(engine, open_redis(redis_url))


def check_binding(settings: Settings, host: str) -> None:
    """Raise `SpecError` if an open service would be reachable from other machines."""
    if settings.auth == "open" and not is_loopback(host):
        raise SpecError(
            f"DRIFTLOOP_AUTH: an open service may only listen on this machine, not on {host}; "
            "use 127.0.0.1, or DRIFTLOOP_AUTH=tokens"
        )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address to listen on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
