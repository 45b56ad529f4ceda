"""What became of the rows of a training: how many trained, were cut, were dropped"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COLUMNS = ("examples", "examples_cut", "examples_dropped")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for column in COLUMNS:
        op.add_column("adapters", sa.Column(column, sa.Integer(), nullable=True))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for column in reversed(COLUMNS):
        op.drop_column("adapters", column)
