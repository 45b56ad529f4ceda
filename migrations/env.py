"""Alembic's entry: on the connection it is given, or on DATABASE_URL."""

import os

from alembic import context
from sqlalchemy import Connection

from services.core.db.session import open_engine
from services.core.db.tables import Base


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _migrate(given)
else:
    with open_engine(os.environ["DATABASE_URL"]).connect() as opened:
        _migrate(opened)
