"""The service that a command speaks to: the one that DRIFTLOOP_URL names, or one that it brings along.

The one that it brings along is the same API on the embedded database, on a private Unix socket: no port is opened, and it is
open to its user alone, who can reach the socket's folder. A service elsewhere has workers of its own; here a crew joins while
a command works runs, for those runs alone.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.core.rest.client import Client
from services.core.settings import Settings

if TYPE_CHECKING:
    from services.app.database import Database

Tend = Callable[[], None]
"""Sees to the workers; to be called a few times a second."""


@dataclass(frozen=True)
class Service:
    """A service that answers."""

    client: Client
    is_embedded: bool
    at_work: Callable[[Sequence[str]], AbstractContextManager[Tend]]
    """Has these runs worked while the block runs."""


@contextmanager
def reach(settings: Settings) -> Generator[Service]:
    """Open the service that the settings name. Raises `SpecError`, `DatabaseError`."""
    if settings.url is None:
        from services.app.database import open_database

        with open_database(settings) as database, _embedded(settings, database) as client:
            yield Service(client, True, lambda runs: _crew(settings, database, runs))
    else:
        token = settings.token.get_secret_value() if settings.token else None
        with Client(settings.url, token) as client:
            yield Service(client, False, lambda _runs: nullcontext(_no_one_to_tend))


@contextmanager
def _embedded(settings: Settings, database: "Database") -> Generator[Client]:
    from services.app.api import make_api
    from services.app.logs import log_to_file
    from services.app.serving import private_listener, served

    log_to_file(settings)
    here = settings.model_copy(update={"auth": "open"})
    app = make_api(here, database.engine)
    with private_listener() as (path, listener), served(app, listener), Client.over_socket(path) as client:
        yield client


def _crew(settings: Settings, database: "Database", runs: Sequence[str]) -> AbstractContextManager[Tend]:
    from services.app.work import at_work

    return at_work(settings, database, runs)


def _no_one_to_tend() -> None:
    return
