"""Transactions: a Postgres that is lost on the way is told apart from a statement that fails."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from services.core.db.session import open_engine, transaction
from services.core.domain.errors import DatabaseError, SpecError


def test_a_connection_that_is_cut_is_a_lost_database_and_the_next_transaction_has_another(engine: Engine):
    with pytest.raises(DatabaseError, match="went away"), transaction(engine) as session:
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    with transaction(engine) as session:
        assert session.execute(text("SELECT 1")).scalar_one() == 1


def test_a_connection_that_is_cut_before_the_commit_is_a_lost_database(engine: Engine):
    def cut_at_the_end() -> None:
        with transaction(engine) as session, engine.connect() as other:
            pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    with pytest.raises(DatabaseError, match="went away"):
        cut_at_the_end()


def test_a_statement_that_fails_is_no_lost_database(engine: Engine):
    with pytest.raises(DBAPIError), transaction(engine) as session:
        session.execute(text("SET lock_timeout = 'soon'"))


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://u:secret@host/db", "postgresql://u:secret@host:port/db", "host:5432/db"]
)
def test_what_is_no_address_of_a_postgres_is_one_line_without_its_password(url: str):
    with pytest.raises(
        SpecError, match=r"^DATABASE_URL: is no address of a Postgres; write postgresql://"
    ) as caught:
        open_engine(url)
    assert "secret" not in str(caught.value)
