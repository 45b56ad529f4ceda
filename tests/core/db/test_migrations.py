"""The migrations: from nothing, down and up, equal to the models, one line of them. Each failure names its mend."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, Engine, event, inspect, text

from services.core.db import migrate
from services.core.db.session import open_engine, transaction
from services.core.db.tables import Base
from services.core.domain.errors import DatabaseError
from tests.core.db.builders import await_a_waiting_lock

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


def test_a_user_who_may_make_no_tables_is_told_the_mend(empty_database: str, server_url: str) -> None:
    admin = open_engine(server_url).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE ROLE guest LOGIN PASSWORD 'guest'"))
    guest = open_engine(
        open_engine(empty_database).url.set(username="guest", password="guest").render_as_string(False)
    )
    try:
        with pytest.raises(
            DatabaseError, match=r"^DATABASE_URL: .*denied.*; make it the owner of the database$"
        ):
            migrate.upgrade(guest)
    finally:
        guest.dispose()
        with admin.connect() as connection:
            connection.execute(text("DROP ROLE guest"))
        admin.dispose()


@pytest.mark.parametrize("opens", [migrate.upgrade, migrate.check_schema])
def test_a_database_of_a_newer_version_is_left_alone_and_named(
    empty_database: str, opens: Callable[[Engine], None]
) -> None:
    engine = open_engine(empty_database)
    try:
        migrate.upgrade(engine)
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        wanted = rf"schema is 9999, .* knows {migrate.newest()}.*; use the newer driftloop .*, or another DRIFTLOOP_DATA"
        with pytest.raises(DatabaseError, match=wanted):
            opens(engine)
    finally:
        engine.dispose()


def test_an_old_postgres_is_refused_before_anything_is_made() -> None:
    migrate.check_age(15)
    with pytest.raises(DatabaseError, match=r"^DATABASE_URL: this is PostgreSQL 14; use 15 or newer"):
        migrate.check_age(14)


@pytest.fixture
def empty(empty_database: str) -> Iterator[Engine]:
    opened = open_engine(empty_database)
    yield opened
    opened.dispose()


def test_who_waits_for_another_that_migrates_waits_longer_than_other_work_may(
    empty: Engine, empty_database: str
) -> None:
    limited = open_engine(empty_database)

    @event.listens_for(limited, "begin")
    def _(connection: Connection) -> None:
        connection.execute(text("SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '1s'"))

    with ThreadPoolExecutor(1) as pool:
        with transaction(empty) as session:
            migrate.take_turn(session)
            second = pool.submit(migrate.upgrade, limited)
            await_a_waiting_lock(session, second)
            time.sleep(1.5)  # beyond both limits
            assert not second.done()
        second.result()
    limited.dispose()
    migrate.check_schema(empty)


def test_who_waited_for_a_newer_version_s_migration_leaves_its_schema_alone(empty: Engine) -> None:
    with empty.begin() as connection:
        command.upgrade(config_on(connection), "0005")
    with ThreadPoolExecutor(1) as pool:
        with transaction(empty) as session:
            migrate.take_turn(session)
            second = pool.submit(migrate.upgrade, empty)
            await_a_waiting_lock(session, second)
            session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(DatabaseError, match=r"schema is 9999, .*use the newer driftloop"):
            second.result()


def test_a_database_that_others_use_is_said_to_be_in_use_and_left_as_it_was(empty: Engine) -> None:
    with empty.begin() as connection:
        command.upgrade(config_on(connection), "0005")
    with transaction(empty) as session:
        session.execute(text("LOCK TABLE runs IN ROW EXCLUSIVE MODE"))  # as whoever writes to it has it
        with pytest.raises(
            DatabaseError, match=r"while others use the database; stop the API and the workers"
        ):
            migrate.upgrade(empty)
    with transaction(empty) as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0005"
    migrate.upgrade(empty)
    migrate.check_schema(empty)
