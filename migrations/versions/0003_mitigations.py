"""Mitigations: vetoed conversations, safety rows"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSONB = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _endings("'scored', 'vetoed', 'unscored', 'failed'", "status IN ('scored', 'vetoed')")
    op.create_table(
        "safety_rows",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("copy", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("messages", JSONB, nullable=False),
        sa.CheckConstraint("position >= 0 AND copy >= 0", name=op.f("safety_rows_counts_check")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("safety_rows_run_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "round", "position", name=op.f("safety_rows_pkey")),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("safety_rows")
    # What was vetoed trained nothing then either: before there was a veto, such a conversation was unscored.
    op.execute("UPDATE trajectories SET status = 'unscored', satisfaction = NULL WHERE status = 'vetoed'")
    _endings("'scored', 'unscored', 'failed'", "status = 'scored'")


def _endings(statuses: str, rated: str) -> None:
    for name, rule in (
        ("status", f"status IN ({statuses})"),
        ("satisfaction", f"({rated}) = (satisfaction IS NOT NULL)"),
    ):
        constraint = op.f(f"trajectories_{name}_check")
        op.drop_constraint(constraint, "trajectories", type_="check")
        op.create_check_constraint(constraint, "trajectories", rule)
