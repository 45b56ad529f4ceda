"""The embedded service: a database at the newest schema, for as long as a command needs it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine

from services.core.db.embedded import embedded_postgres
from services.core.db.migrate import upgrade
from services.core.db.session import open_engine
from services.core.settings import Settings


@dataclass(frozen=True)
class Service:
    """An open database and where it is."""

    settings: Settings
    url: str
    engine: Engine


@contextmanager
def open_service(settings: Settings) -> Generator[Service]:
    """Open the database that the settings name, or the embedded one; migrate it first.

    Raises `DatabaseError`.
    """
    if settings.database_url is not None:
        with _connected(settings, settings.database_url) as service:
            yield service
        return
    with embedded_postgres(settings.data) as url, _connected(settings, url) as service:
        yield service


@contextmanager
def _connected(settings: Settings, url: str) -> Generator[Service]:
    engine = open_engine(url)
    try:
        upgrade(engine)
        yield Service(settings, url, engine)
    finally:
        engine.dispose()
