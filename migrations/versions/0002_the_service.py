"""The service: events, tokens, idempotent requests, cancelled runs, text search"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
JSONB = postgresql.JSONB(astext_type=sa.Text())
TIME = postgresql.TIMESTAMP(timezone=True)
WORDS = (
    "jsonb_to_tsvector('english'::regconfig, "
    """jsonb_path_query_array(messages, '$[*] ? (@."role" != "system")."content"'), '["string"]'::jsonb)"""
)

# What lists of trajectories filter by; the slot leads to the selection.
FILTERED = ("round", "slot", "scenario", "user_kind", "policy", "status", "satisfaction")
COVERING = {
    "score": ["satisfaction", "id"],
    "run_id": ["run_id", "id"],
    "run_score": ["run_id", "satisfaction", "id"],
    "run_round_id": ["run_id", "round", "id"],
    "run_round_score": ["run_id", "round", "satisfaction", "id"],
}
INDEXES = {
    ("trajectories", "round_id"): ["round", "id"],
    ("trajectories", "scenario_id"): ["scenario", "id"],
    ("trajectories", "policy_id"): ["policy", "id"],
    ("selections", "rank"): ["run_id", "round", "rank", "slot"],
    ("selections", "run_label_score"): ["run_id", "label", "score"],
    ("selections", "label_score"): ["label", "score"],
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("runs", sa.Column("last_seq", sa.BigInteger(), server_default="0", nullable=False))
    _run_statuses("'running', 'succeeded', 'failed', 'cancelled'")
    op.add_column("phases", sa.Column("owed_at", TIME, server_default=NOW, nullable=False))
    op.create_check_constraint(op.f("runs_last_seq_check"), "runs", "last_seq >= 0")
    op.create_index("runs_created_at_id_idx", "runs", ["created_at", "id"])
    op.add_column("phases", sa.Column("silences", sa.Integer(), server_default="0", nullable=False))
    op.create_check_constraint(op.f("phases_silences_check"), "phases", "silences >= 0")
    op.create_table(
        "events",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("events_run_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "seq", name=op.f("events_pkey")),
    )
    op.create_table(
        "tokens",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.CheckConstraint("scope IN ('read', 'launch', 'admin')", name=op.f("tokens_scope_check")),
        sa.PrimaryKeyConstraint("name", name=op.f("tokens_pkey")),
        sa.UniqueConstraint("sha256", name=op.f("tokens_sha256_key")),
    )
    op.create_table(
        "idempotent_requests",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("response", JSONB, nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("idempotent_requests_pkey")),
    )
    op.add_column("policies", sa.Column("needed_at", TIME, nullable=True))
    # Before the column is added, which writes every row anew.
    op.execute("ALTER TABLE trajectories SET (toast_tuple_target = 256)")
    op.add_column(
        "trajectories",
        sa.Column("words", postgresql.TSVECTOR(), sa.Computed(WORDS, persisted=True), nullable=False),
    )
    for counted in ("user_turns", "out_of_role"):
        op.add_column("trajectories", sa.Column(counted, sa.Integer(), server_default="0", nullable=False))
    op.create_check_constraint(
        op.f("trajectories_out_of_role_check"), "trajectories", "out_of_role BETWEEN 0 AND user_turns"
    )
    op.drop_index("trajectories_run_satisfaction_idx", "trajectories")
    for name, columns in COVERING.items():
        others = [column for column in FILTERED if column not in columns]
        op.create_index(f"trajectories_{name}_idx", "trajectories", columns, postgresql_include=others)
    for (table, name), columns in INDEXES.items():
        op.create_index(f"{table}_{name}_idx", table, columns)
    op.create_index("trajectories_words_idx", "trajectories", ["words"], postgresql_using="gin")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("trajectories_words_idx", "trajectories")
    for table, name in reversed(INDEXES):
        op.drop_index(f"{table}_{name}_idx", table)
    for name in reversed(COVERING):
        op.drop_index(f"trajectories_{name}_idx", "trajectories")
    op.create_index("trajectories_run_satisfaction_idx", "trajectories", ["run_id", "round", "satisfaction"])
    for counted in ("out_of_role", "user_turns"):
        op.drop_column("trajectories", counted)
    op.drop_column("trajectories", "words")
    op.execute("ALTER TABLE trajectories RESET (toast_tuple_target)")
    op.drop_column("policies", "needed_at")
    for table in ("idempotent_requests", "tokens", "events"):
        op.drop_table(table)
    op.drop_column("phases", "silences")
    op.drop_index("runs_created_at_id_idx", "runs")
    op.drop_constraint(op.f("runs_last_seq_check"), "runs")
    op.execute("UPDATE runs SET status = 'failed', error = 'cancelled' WHERE status = 'cancelled'")
    _run_statuses("'running', 'succeeded', 'failed'")
    op.drop_column("runs", "last_seq")
    op.drop_column("phases", "owed_at")


def _run_statuses(statuses: str) -> None:
    op.drop_constraint(op.f("runs_status_check"), "runs")
    op.create_check_constraint(op.f("runs_status_check"), "runs", f"status IN ({statuses})")
