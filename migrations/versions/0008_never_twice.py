"""What is never given twice: the repetition of a deleted run, and work that is being done"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TWINS = """
UPDATE phases SET status = 'owed', lease_until = NULL, worker = NULL
WHERE status = 'running' AND EXISTS (
    SELECT FROM phases AS twin
    WHERE twin.work_key = phases.work_key AND twin.status = 'running' AND twin.id < phases.id
)
"""
"""Of shards that are worked twice at this moment, all but the first are taken from their workers."""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "deleted_repetitions",
        sa.Column("spec_hash", sa.Text(), nullable=False),
        sa.Column("repetition", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("spec_hash", name=op.f("deleted_repetitions_pkey")),
    )
    op.execute(TWINS)
    op.create_index(
        "phases_work_key_idx",
        "phases",
        ["work_key"],
        unique=True,
        postgresql_where="status = 'running'",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("phases_work_key_idx", "phases")
    op.drop_table("deleted_repetitions")
