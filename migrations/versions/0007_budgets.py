"""Budgets: limits of runs, what they have spent, and the status of those that ran out"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LIMITS = ("tokens", "usd", "hours")
CHECKS = {
    "budget": "budget_tokens > 0 AND budget_usd > 0 AND budget_hours > 0",
    "spent": "spent_tokens >= 0 AND spent_usd >= 0 AND worked_s >= 0",
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("runs", sa.Column("budget_tokens", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("budget_usd", sa.Float(), nullable=True))
    op.add_column("runs", sa.Column("budget_hours", sa.Float(), nullable=True))
    op.add_column("runs", sa.Column("spent_tokens", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("spent_usd", sa.Float(), nullable=True))
    op.add_column("runs", sa.Column("worked_s", sa.Float(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("worked_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    for name, check in CHECKS.items():
        op.create_check_constraint(op.f(f"runs_{name}_check"), "runs", check)
    _run_statuses("'running', 'succeeded', 'failed', 'cancelled', 'stopped', 'out_of_budget'")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    # `error` says what ran out.
    op.execute("UPDATE runs SET status = 'cancelled' WHERE status = 'out_of_budget'")
    op.execute("UPDATE events SET kind = 'run.cancelled' WHERE kind = 'run.out_of_budget'")
    _run_statuses("'running', 'succeeded', 'failed', 'cancelled', 'stopped'")
    for name in CHECKS:
        op.drop_constraint(op.f(f"runs_{name}_check"), "runs")
    for column in (
        "worked_at",
        "worked_s",
        "spent_usd",
        "spent_tokens",
        *(f"budget_{one}" for one in LIMITS),
    ):
        op.drop_column("runs", column)


def _run_statuses(statuses: str) -> None:
    op.drop_constraint(op.f("runs_status_check"), "runs")
    op.create_check_constraint(op.f("runs_status_check"), "runs", f"status IN ({statuses})")
