"""Real servers for the tests: Postgres from DATABASE_URL, else embedded; Redis from REDIS_URL, else a server of our own.

Postgres is migrated once and emptied for each test; so is Redis. Tests run in several processes at once (pytest-xdist), and each
has its own: a server, or of a given Postgres a database, of a given Redis the database 15, 14, and so on down.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from redis import Redis
from sqlalchemy import Engine, text

from services.core.db.embedded import embedded_postgres
from services.core.db.migrate import upgrade
from services.core.db.session import open_engine
from services.core.db.tables import Base
from tests.e2e.small_run import small_sweep
from tests.redis_server import RedisServer

__all__ = ["small_sweep"]

os.environ.setdefault("OMP_NUM_THREADS", "1")
# How long an example takes depends on what else the machine does.
settings.register_profile("driftloop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("driftloop")
# A shell that starts the tests in the background has them ignore Ctrl-C, and so would the processes that they interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A Postgres server of this test session.

    Not in pytest's folder: as root that is open to Postgres' user only until the next pytest starts.
    """
    if given := os.environ.get("DATABASE_URL"):
        yield given
    else:
        with TemporaryDirectory(prefix="driftloop-tests-") as data, embedded_postgres(Path(data)) as url:
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
def empty_database(server_url: str, database_url: str) -> Iterator[str]:
    """A database without a schema, beside the tests' own."""
    admin = open_engine(server_url).execution_options(isolation_level="AUTOCOMMIT")
    name = f"empty_{os.getpid()}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield database_url.replace(f"test_{os.getpid()}", name)
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


@pytest.fixture(scope="session")
def redis_server_url() -> Iterator[str]:
    """A Redis of this test session."""
    if given := os.environ.get("REDIS_URL"):
        process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        yield f"{given.rstrip('/').removesuffix('/0')}/{15 - process}"
    else:
        with RedisServer() as server:
            yield server.url


@pytest.fixture
def redis_url(redis_server_url: str) -> str:
    """An empty Redis."""
    Redis.from_url(redis_server_url).flushdb()
    return redis_server_url
