"""The schema: what the database promises, as tables.

Postgres is the truth of every run. The promises are constraints, so that no program can break them: a conversation,
a selection, an adapter and a verdict each have a natural key that can exist once; statuses are from closed sets; a
shard is running exactly while it has a lease. Rows below a run go with it when it is deleted.

JSONB holds what is read whole (specs, transcripts, verdict details). Nothing here needs more than PostgreSQL 15,
and no extension.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BigInteger

from services.core.db.base import Base, one_of

WORDS = (
    "jsonb_to_tsvector('english'::regconfig, "
    """jsonb_path_query_array(messages, '$[*] ? (@."role" != "system")."content"'), '["string"]'::jsonb)"""
)


FILTERED = ("round", "slot", "scenario", "user_kind", "policy", "status", "satisfaction")
"""What lists of trajectories filter by; the slot leads to the selection."""


def _covering(order: str, *columns: str) -> Index:
    """Return the index of one order of trajectories."""
    others = [name for name in FILTERED if name not in columns]
    return Index(f"trajectories_{order}_idx", *columns, postgresql_include=others)


class Run(Base):
    """One experiment: its immutable spec and its state."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("spec_hash", "repetition"),
        one_of("status", "running", "succeeded", "failed", "cancelled", "stopped", "out_of_budget"),
        CheckConstraint("last_seq >= 0", name="last_seq"),
        Index("runs_created_at_id_idx", "created_at", "id"),
        CheckConstraint("repetition >= 1", name="repetition"),
        CheckConstraint("budget_tokens > 0 AND budget_usd > 0 AND budget_hours > 0", name="budget"),
        CheckConstraint("spent_tokens >= 0 AND spent_usd >= 0 AND worked_s >= 0", name="spent"),
        CheckConstraint("(status = 'succeeded') = (finished_at IS NOT NULL)", name="finished"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    spec: Mapped[dict[str, Any]]
    fingerprints: Mapped[dict[str, Any]]
    """sha256 of everything that the spec names: base weights, scenarios, benchmark rows."""
    spec_hash: Mapped[str]
    """Identity: the spec without name, concurrency and budget, and the fingerprints."""
    repetition: Mapped[int]
    """1, or more for `--new` and after a deletion."""
    status: Mapped[str]
    evaluation_items: Mapped[int]
    error: Mapped[str | None]
    budget_tokens: Mapped[int | None] = mapped_column(BigInteger)
    """The limit that holds now: the spec's, or what `resume` made of it. None: no limit."""
    budget_usd: Mapped[float | None]
    budget_hours: Mapped[float | None]
    spent_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    spent_usd: Mapped[float | None]
    """Of the calls whose price is known; None if none is."""
    worked_s: Mapped[float] = mapped_column(server_default="0")
    """Seconds by the clock in which a shard of it was in a worker's hands."""
    worked_at: Mapped[datetime | None]
    """Until when these are counted."""
    last_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The newest event's number; counting up locks the row, so numbers commit in order."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class DeletedRepetition(Base):
    """The highest repetition of an identity that was deleted: no run is given it again, nor the serving names made of it."""

    __tablename__ = "deleted_repetitions"
    spec_hash: Mapped[str] = mapped_column(primary_key=True)
    repetition: Mapped[int]


class Event(Base):
    """Something that happened to a run, for those who watch it."""

    __tablename__ = "events"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """1, 2, 3 … in the order of commits, without gaps."""
    kind: Mapped[str]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Sweep(Base):
    """Runs that differ in chosen spec fields, launched together."""

    __tablename__ = "sweeps"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SweepArm(Base):
    """One run of a sweep, with the field values that set it apart."""

    __tablename__ = "sweep_arms"
    __table_args__ = (UniqueConstraint("sweep_id", "run_id"),)
    sweep_id: Mapped[str] = mapped_column(ForeignKey("sweeps.id", ondelete="CASCADE"), primary_key=True)
    arm: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    labels: Mapped[dict[str, Any]]


class Phase(Base):
    """One shard of one phase of one round: what is owed, by whom it is worked, and how it went."""

    __tablename__ = "phases"
    __table_args__ = (
        UniqueConstraint("run_id", "round", "name", "shard"),
        one_of("name", "simulate", "select", "train", "publish", "evaluate"),
        one_of("status", "owed", "running", "done", "failed"),
        CheckConstraint("(status = 'running') = (lease_until IS NOT NULL)", name="lease"),
        CheckConstraint("shard >= 0 AND first_unit >= 0 AND last_unit >= first_unit", name="range"),
        CheckConstraint("units_done BETWEEN 0 AND units_total", name="progress"),
        CheckConstraint("attempt >= 0 AND failures >= 0", name="counts"),
        CheckConstraint("silences >= 0", name="silences"),
        Index("phases_due_idx", "id", postgresql_where="status = 'owed'"),
        Index("phases_lease_idx", "lease_until", postgresql_where="status = 'running'"),
        Index("phases_work_key_idx", "work_key", unique=True, postgresql_where="status = 'running'"),
    )
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    round: Mapped[int]
    name: Mapped[str]
    shard: Mapped[int]
    first_unit: Mapped[int]
    last_unit: Mapped[int]
    """Half-open range of slots or items."""
    work_key: Mapped[str | None]
    """Shards with the same key write the same facts and are never worked at the same time."""
    status: Mapped[str] = mapped_column(server_default="owed")
    attempt: Mapped[int] = mapped_column(server_default="0")
    """The fencing token: it rises with every claim, and only its holder may write."""
    failures: Mapped[int] = mapped_column(server_default="0")
    """Attempts that ended in an error."""
    silences: Mapped[int] = mapped_column(server_default="0")
    """Attempts whose worker fell silent."""
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None]
    units_done: Mapped[int] = mapped_column(server_default="0")
    units_total: Mapped[int]
    """Conversations, items or optimiser steps."""
    error: Mapped[str | None]
    owed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """Since when it has been waiting, or was before it was claimed."""
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Adapter(Base):
    """A LoRA adapter: an immutable folder with a content hash, its parent and how it was made."""

    __tablename__ = "adapters"
    __table_args__ = (CheckConstraint("threads >= 1", name="threads"),)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    """`run-<id>-r<round>`."""
    run_id: Mapped[str | None] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    round: Mapped[int]
    base: Mapped[str]
    path: Mapped[str]
    sha256: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("adapters.id", ondelete="CASCADE"))
    data_hash: Mapped[str | None]
    """sha256 of the training rows."""
    hyperparameters: Mapped[dict[str, Any]]
    threads: Mapped[int]
    steps: Mapped[int]
    train_loss: Mapped[float | None]
    wall_s: Mapped[float]
    examples: Mapped[int | None]
    """Training rows that trained; none for adapters older than this count."""
    examples_cut: Mapped[int | None]
    examples_dropped: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Policy(Base):
    """A published policy: its serving name, for ever, and its adapter (none for a base)."""

    __tablename__ = "policies"
    __table_args__ = (
        UniqueConstraint("run_id", "round"),
        CheckConstraint(
            "(round = 0) = (adapter_id IS NULL) AND (round = 0) = (run_id IS NULL)", name="adapter_above_0"
        ),
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    base: Mapped[str]
    run_id: Mapped[str | None] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    round: Mapped[int]
    adapter_id: Mapped[int | None] = mapped_column(ForeignKey("adapters.id", ondelete="CASCADE"))
    published_at: Mapped[datetime] = mapped_column(server_default=func.now())
    needed_at: Mapped[datetime | None]
    """When a worker last made sure that it is served."""


class TrajectoryRow(Base):
    """One held conversation."""

    __tablename__ = "trajectories"
    __table_args__ = (
        UniqueConstraint("run_id", "round", "slot"),
        one_of("user_kind", "benign", "biased"),
        one_of("status", "scored", "vetoed", "unscored", "failed"),
        CheckConstraint("(status IN ('scored', 'vetoed')) = (satisfaction IS NOT NULL)", name="satisfaction"),
        CheckConstraint("(status = 'scored') = (cause IS NULL)", name="cause"),
        CheckConstraint("out_of_role BETWEEN 0 AND user_turns", name="out_of_role"),
        # One for each order of everything, of a run and of its round. They hold what lists filter by, so that rows that
        # don't fit are passed without being read. The primary key is that of everything by id: there rows lie in order.
        _covering("score", "satisfaction", "id"),
        _covering("run_id", "run_id", "id"),
        _covering("run_score", "run_id", "satisfaction", "id"),
        _covering("run_round_id", "run_id", "round", "id"),
        _covering("run_round_score", "run_id", "round", "satisfaction", "id"),
        # For what stands together in the order of ids, or is rare.
        Index("trajectories_round_id_idx", "round", "id"),
        Index("trajectories_scenario_id_idx", "scenario", "id"),
        Index("trajectories_policy_id_idx", "policy", "id"),
        Index("trajectories_words_idx", "words", postgresql_using="gin"),
        # Texts, words and calls are kept aside, so that what lists read of a row is two hundred bytes.
        {"postgresql_with": {"toast_tuple_target": 256}},
    )
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    round: Mapped[int]
    slot: Mapped[int]
    scenario: Mapped[str]
    profile: Mapped[str]
    user_kind: Mapped[str]
    policy: Mapped[str]
    status: Mapped[str]
    cause: Mapped[str | None]
    satisfaction: Mapped[float | None]
    messages: Mapped[list[Any]]
    words: Mapped[Any] = mapped_column(TSVECTOR, Computed(WORDS, persisted=True), deferred=True)
    """What both sides said, for text search; the system prompt is left out."""
    ratings: Mapped[list[Any]]
    calls: Mapped[list[Any]]
    user_turns: Mapped[int] = mapped_column(server_default="0")
    """How often the user was asked for a turn."""
    out_of_role: Mapped[int] = mapped_column(server_default="0")
    """How often it then spoke out of role."""
    schema_version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SelectionRow(Base):
    """A trajectory chosen to train the round's policy, and why."""

    __tablename__ = "selections"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run_id", "round", "slot"],
            ["trajectories.run_id", "trajectories.round", "trajectories.slot"],
            ondelete="CASCADE",
        ),
        one_of("label", "desirable", "undesirable"),
        CheckConstraint("rank >= 1", name="rank"),
        Index("selections_rank_idx", "run_id", "round", "rank", "slot"),
        Index("selections_run_label_score_idx", "run_id", "label", "score"),
        Index("selections_label_score_idx", "label", "score"),
    )
    run_id: Mapped[str] = mapped_column(primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int]
    score: Mapped[float]
    label: Mapped[str]
    reason: Mapped[str]


class SafetyRow(Base):
    """A row of safety data that trains the round's policy beside the chosen conversations."""

    __tablename__ = "safety_rows"
    __table_args__ = (CheckConstraint("position >= 0 AND copy >= 0", name="counts"),)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    """Its place in the draw, from 0."""
    row_id: Mapped[str]
    """Its id in the file."""
    copy: Mapped[int]
    """How often the same row was drawn before: above 0 only where the file has too few."""
    sha256: Mapped[str]
    """Of the file."""
    messages: Mapped[list[Any]]


class SetRowRow(Base):
    """A row of a training set that trains every round of a run."""

    __tablename__ = "set_rows"
    __table_args__ = (CheckConstraint("position >= 0", name="place"),)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    dataset: Mapped[str]
    """The registered name of its set."""
    level: Mapped[str | None]
    row_id: Mapped[str]
    """Its id in the set."""
    sha256: Mapped[str]
    """Of the set."""
    messages: Mapped[list[Any]]


class Evaluation(Base):
    """One policy measured in one way; runs with the same base and settings share that of policy 0."""

    __tablename__ = "evaluations"
    __table_args__ = (UniqueConstraint("policy", "key"),)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    policy: Mapped[str] = mapped_column(ForeignKey("policies.name", ondelete="CASCADE"))
    key: Mapped[str]
    """Hash of the evaluation settings, seed and fingerprints."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RunEvaluation(Base):
    """Which evaluation measures a run's round."""

    __tablename__ = "run_evaluations"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(ForeignKey("evaluations.id", ondelete="CASCADE"), index=True)


class VerdictRow(Base):
    """One judged item and repeat of a benchmark; every score is computed from these."""

    __tablename__ = "verdicts"
    __table_args__ = (CheckConstraint("repeat >= 0", name="repeat"),)
    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True
    )
    benchmark: Mapped[str] = mapped_column(primary_key=True)
    subset: Mapped[str] = mapped_column(primary_key=True)
    item: Mapped[str] = mapped_column(primary_key=True)
    repeat: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    detail: Mapped[dict[str, Any]]
    scorer: Mapped[str]
    scorer_version: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Token(Base):
    """A bearer token, stored as a hash: who may do what over REST."""

    __tablename__ = "tokens"
    __table_args__ = (one_of("scope", "read", "launch", "admin"),)
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    scope: Mapped[str]
    """Each scope holds those before it: read, launch, admin."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class IdempotentRequest(Base):
    """A POST that carried an Idempotency-Key, and what it was answered."""

    __tablename__ = "idempotent_requests"
    caller: Mapped[str] = mapped_column(primary_key=True)
    """The token's name: keys of different callers never meet."""
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]
    """Of method, path and body."""
    status: Mapped[int]
    response: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
