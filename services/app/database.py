"""The database of this machine, at the newest schema: the one that is named, or an embedded one."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine

from services.core.db.embedded import embedded_postgres
from services.core.db.migrate import upgrade
from services.core.db.session import open_engine
from services.core.settings import Settings


@dataclass(frozen=True)
class Database:
    """An open database and where it is."""

    url: str
    engine: Engine


@contextmanager
def open_database(settings: Settings) -> Generator[Database]:
    """Open the database that the settings name, or the embedded one; migrate it first.

    Raises `DatabaseError`.
    """
    if settings.database_url is not None:
        with _connected(settings.database_url) as database:
            yield database
        return
    with embedded_postgres(settings.data) as url, _connected(url) as database:
        yield database


@contextmanager
def _connected(url: str) -> Generator[Database]:
    engine = open_engine(url)
    try:
        upgrade(engine)
        yield Database(url, engine)
    finally:
        engine.dispose()
