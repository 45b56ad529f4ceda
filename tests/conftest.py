"""Real servers for the tests: Postgres from DATABASE_URL, else embedded; migrated once, emptied for each test."""

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from services.core.db.embedded import embedded_postgres
from services.core.db.migrate import upgrade
from services.core.db.session import open_engine
from services.core.db.tables import Base
from tests.e2e.small_run import small_sweep

__all__ = ["small_sweep"]

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Postgres server of this test session."""
    if given := os.environ.get("DATABASE_URL"):
        yield given
    else:
        with embedded_postgres(tmp_path_factory.mktemp("data")) as url:
            yield url


@pytest.fixture(scope="session")
def database_url(server_url: str) -> Iterator[str]:
    """A database of this test session, at the newest migration."""
    admin = open_engine(server_url).execution_options(isolation_level="AUTOCOMMIT")
    name = f"test_{os.getpid()}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = str(admin.url.set(database=name).render_as_string(hide_password=False))
    url = url.replace("postgresql+psycopg", "postgresql")
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()
    yield url
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on an empty database."""
    opened = open_engine(database_url)
    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
    with opened.begin() as connection:
        connection.execute(text(f"TRUNCATE {tables} CASCADE"))
    yield opened
    opened.dispose()
