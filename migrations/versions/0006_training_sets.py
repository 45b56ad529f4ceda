"""Rows of training sets that train a run"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

JSONB = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.create_table(
        "set_rows",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("messages", JSONB, nullable=False),
        sa.CheckConstraint("position >= 0", name=op.f("set_rows_place_check")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("set_rows_run_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("set_rows_pkey")),
    )


def downgrade() -> None:
    op.drop_table("set_rows")
