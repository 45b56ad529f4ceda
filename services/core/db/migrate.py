"""Bringing the schema to the newest migration, safely from several processes at once."""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from services.core.db.session import transaction
from services.core.domain.errors import DatabaseError
from services.core.settings import PROJECT

# Any number, the same in every process: whoever holds it migrates, the others wait.
_LOCK = 7_215_309


def alembic_config() -> Config:
    """Return Alembic's configuration for this project's migrations."""
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine) -> None:
    """Apply what is missing; does nothing on a current schema. Raises `DatabaseError` if Postgres can't be reached."""
    config = alembic_config()
    with transaction(engine) as session:
        connection = session.connection()
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest() -> str | None:
    """Return the id of the newest migration in this source tree."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def check_schema(engine: Engine) -> None:
    """Raise `DatabaseError` unless Postgres can be reached and has this version's schema."""
    with transaction(engine) as session:
        is_begun = session.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL")).scalar_one()
        version = text("SELECT version_num FROM alembic_version")
        there = session.execute(version).scalar_one_or_none() if is_begun else None
    if there != newest():
        raise DatabaseError(
            f"the schema is {there or 'not there'}, this version needs {newest()}; run `driftloop migrate`"
        )
