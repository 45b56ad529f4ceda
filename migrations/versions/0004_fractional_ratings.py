"""Satisfaction may be a fraction: a sum of expected ratings"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.alter_column("trajectories", "satisfaction", type_=sa.Float(), existing_type=sa.Integer())


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.alter_column("trajectories", "satisfaction", type_=sa.Integer(), existing_type=sa.Float())
