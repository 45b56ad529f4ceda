"""Connections: one engine a process, one transaction a unit of work.

Code that works in the database takes a `Session` inside a transaction that its caller opened; repositories never
commit. Timeouts are explicit, so that a stuck statement is an error and not a hang.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from services.core.domain.complaints import one_line
from services.core.domain.errors import DatabaseError, SpecError

# Every statement is planned for its own values: one run is a thousandth of all rows and another a half, one word is said once and
# another everywhere. Pages of an index are in memory or on a disk that has no arm to move.
_PLANNING = "-c jit=off -c plan_cache_mode=force_custom_plan -c random_page_cost=1.1"
_OPTIONS = f"-c timezone=UTC -c lock_timeout=30s -c statement_timeout=300s {_PLANNING}"

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_AFTERWARDS = "after commit"


def open_engine(url: str) -> Engine:
    """Return an engine for a `postgresql://` URL, through psycopg 3. Raises `SpecError` for any other."""
    scheme, _, place = url.partition("://")
    try:
        if scheme not in _SCHEMES:
            raise ArgumentError
        return create_engine(
            f"postgresql+psycopg://{place}",
            pool_size=4,
            max_overflow=4,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10, "options": _OPTIONS},
        )
    except (ArgumentError, ValueError):  # its text is not quoted: a password may be in it
        raise SpecError(
            "DATABASE_URL: is no address of a Postgres; write postgresql://user:password@host:5432/database"
        ) from None


@contextmanager
def transaction(engine: Engine) -> Generator[Session]:
    """Open one transaction; it commits on leaving and rolls back on an exception.

    Raises `DatabaseError` if Postgres can't be reached, or is lost on the way; whether a commit that it was lost in took
    place is then unknown.
    """
    with Session(engine, expire_on_commit=False) as session:
        with _reaching():
            session.connection()
        try:
            yield session
            session.commit()
        except DBAPIError as error:
            session.rollback()
            if is_lost(error):
                raise DatabaseError(f"Postgres went away: {_why(error)}") from error
            raise
        except BaseException:
            session.rollback()
            raise
    for call in session.info.pop(_AFTERWARDS, ()):
        call()


def connect(engine: Engine) -> Connection:
    """Open a connection on which every statement stands alone, for what outlives transactions. Raises `DatabaseError`."""
    with _reaching():
        return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def _reaching() -> Generator[None]:
    try:
        yield
    except OperationalError as error:
        raise DatabaseError(
            f"Postgres can't be reached: {_why(error)}; start it, or mend DATABASE_URL"
        ) from error


def _why(error: DBAPIError) -> str:
    """Return what the driver says, on one line and without the question that it adds."""
    return one_line(str(error.orig)).partition(" Is the server running")[0].rstrip(".")


def is_lost(error: Exception) -> bool:
    """Tell whether an error means that Postgres is away, and nothing of what was asked of it."""
    return isinstance(error, DatabaseError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


def is_contended(error: DBAPIError) -> bool:
    """Tell whether Postgres gave up what was asked of it only because others were in the way, so that it may succeed next time."""
    return isinstance(error.orig, DeadlockDetected | LockNotAvailable | SerializationFailure)


def after_commit(session: Session, call: Callable[[], object]) -> None:
    """Have `call` made once the transaction has been committed; never if it is rolled back.

    For what must not happen before the facts are there (waking a worker) or unless they are gone (removing files).
    """
    session.info.setdefault(_AFTERWARDS, []).append(call)
