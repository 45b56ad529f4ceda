"""Bringing the schema to the newest migration, safely from several processes at once.

Whoever has the lock migrates, the others wait for as long as that takes, and a migration's statement may run for hours. Only
for tables that others work on it waits no longer than 5 s, because whoever comes behind it waits as well.

Alembic is imported when there is something to migrate: its import takes longer than most commands' work.
"""

from typing import TYPE_CHECKING

from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from services.core.db.session import is_contended, transaction
from services.core.domain.errors import DatabaseError
from services.core.settings import PROJECT

if TYPE_CHECKING:
    from alembic.config import Config

OLDEST = 15
"""Major version of Postgres."""
# Any number, the same in every process: whoever holds it migrates, the others wait.
_LOCK = 7_215_309


def alembic_config() -> "Config":
    """Return Alembic's configuration for this project's migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine) -> None:
    """Apply what is missing; does nothing on a current schema.

    Raises `DatabaseError` if Postgres can't be reached, is too old, is in use, does not let its user make tables, or has a newer
    schema.
    """
    with transaction(engine) as session:
        check_age(int(session.execute(text("SHOW server_version_num")).scalar_one()) // 10_000)
        if not _is_behind(_version(session)):
            return
        take_turn(session)
        # Whoever was waited for has migrated, perhaps to what only a newer version knows.
        if not _is_behind(_version(session)):
            return
        try:
            _apply(session)
        except OperationalError as error:
            if not is_contended(error):
                raise
            raise DatabaseError(
                "the schema can't be changed while others use the database; stop the API and the workers, or run this again"
            ) from None
        except ProgrammingError as error:
            if not isinstance(error.orig, InsufficientPrivilege):
                raise
            raise DatabaseError(
                f"DATABASE_URL: its user may not change this database ({error.orig.diag.message_primary}); "
                "make it the owner of the database"
            ) from None


def take_turn(session: Session) -> None:
    """Wait for whoever migrates, without the limits that `open_engine` sets for all other work, and keep others waiting."""
    for limit in ("lock_timeout", "statement_timeout"):
        session.execute(text(f"SET LOCAL {limit} = 0"))
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    session.execute(text("SET LOCAL lock_timeout = '5s'"))


def check_age(major: int) -> None:
    """Raise `DatabaseError` for a Postgres that is older than what the schema is tested on."""
    if major < OLDEST:
        raise DatabaseError(
            f"DATABASE_URL: this is PostgreSQL {major}; use {OLDEST} or newer, or the embedded one"
        )


def _apply(session: Session) -> None:
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = session.connection()
    command.upgrade(config, "head")


def newest() -> str:
    """Return the id of the newest migration in this source tree, which its file's name begins with."""
    return max(path.name.partition("_")[0] for path in (PROJECT / "migrations/versions").glob("*.py"))


def check_schema(engine: Engine) -> None:
    """Raise `DatabaseError` unless Postgres can be reached and has this version's schema."""
    with transaction(engine) as session:
        there = _version(session)
    if _is_behind(there):
        raise DatabaseError(
            f"the schema is {there or 'not there'}, this version needs {newest()}; run `driftloop migrate`"
        )


def _is_behind(there: str | None) -> bool:
    """Tell whether migrations are missing. Raises `DatabaseError` if the database has one that this version does not know."""
    if there is not None and there > newest():
        raise DatabaseError(
            f"the database's schema is {there}, this version knows {newest()} at most; use the newer driftloop that made it, "
            "or another DRIFTLOOP_DATA or DATABASE_URL"
        )
    return there != newest()


def _version(session: Session) -> str | None:
    """Return the newest migration that the database has, None if it has none."""
    is_begun = session.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL")).scalar_one()
    version = text("SELECT version_num FROM alembic_version")
    return session.execute(version).scalar_one_or_none() if is_begun else None
