"""The migrations: from nothing, down and up, equal to the models, one line of them. Each failure names its mend."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Engine, inspect, text

from services.core.db import migrate
from services.core.db.tables import Base

REVISION = 'make a revision: DATABASE_URL=… alembic revision --autogenerate -m "…"'


def config_on(connection: object) -> Config:
    config = migrate.alembic_config()
    config.attributes["connection"] = connection
    return config


def test_from_scratch(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA scratch"))
        connection.execute(text("SET LOCAL search_path = scratch"))
        command.upgrade(config_on(connection), "head")
        made = set(inspect(connection).get_table_names(schema="scratch"))
        connection.rollback()
    assert {table.name for table in Base.metadata.sorted_tables} <= made, REVISION


def test_down_and_up(engine: Engine) -> None:
    with engine.begin() as connection:
        command.downgrade(config_on(connection), "base")
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}, "complete the downgrades"
        command.upgrade(config_on(connection), "head")


def test_the_models_are_the_migrations(engine: Engine) -> None:
    with engine.connect() as connection:
        difference = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata
        )
        checks = {
            (table, check["name"])
            for table in inspect(connection).get_table_names()
            for check in inspect(connection).get_check_constraints(table)
        }
    assert difference == [], REVISION
    declared = {
        (table.name, constraint.name)
        for table in Base.metadata.sorted_tables
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    # Autogenerate does not see CHECK constraints, so their names are compared here.
    assert checks == declared, REVISION


def test_no_revision_twice_and_one_head() -> None:
    script = ScriptDirectory.from_config(migrate.alembic_config())
    revisions = [revision.revision for revision in script.walk_revisions()]
    assert len(revisions) == len(set(revisions)), "give the newer revision another id"
    assert len(script.get_heads()) == 1, 'join the heads: alembic merge heads -m "…"'
    assert migrate.newest() == script.get_heads()[0]
