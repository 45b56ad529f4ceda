"""Early warning: a run may be stopped by its rule"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BEFORE = "status IN ('running', 'succeeded', 'failed', 'cancelled')"
AFTER = "status IN ('running', 'succeeded', 'failed', 'cancelled', 'stopped')"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint("runs_status_check", "runs")
    op.create_check_constraint("status", "runs", AFTER)


def downgrade() -> None:
    op.execute("UPDATE runs SET status = 'cancelled' WHERE status = 'stopped'")
    op.drop_constraint("runs_status_check", "runs")
    op.create_check_constraint("status", "runs", BEFORE)
