"""Adapters and published policies in the database."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import case, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from services.core.db.phases import Claim, fence
from services.core.db.tables import Adapter, Phase, Policy
from services.core.domain.errors import NotFound
from services.core.domain.phases import PhaseName, ShardStatus


@dataclass(frozen=True, slots=True)
class AdapterRecord:
    """An adapter as stored; `path` is its folder."""

    key: str
    run_id: str | None
    round: int
    base: str
    path: Path
    sha256: str
    parent_key: str | None
    data_hash: str | None
    hyperparameters: dict[str, Any]
    threads: int
    steps: int
    train_loss: float | None
    wall_s: float
    examples: int | None
    """Rows that trained; None if the adapter is older than this count."""
    examples_cut: int | None
    """Of them, those that lost their end."""
    examples_dropped: int | None
    """Rows that did not train: no part of their reply fits, or they have no neighbour."""


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """A published policy as it is listed: its serving name and its adapter's key (none for a base)."""

    name: str
    base: str
    run_id: str | None
    round: int
    adapter: str | None
    published_at: datetime


@dataclass(frozen=True, slots=True)
class PublishedPolicy:
    """A policy that may be used: its serving name and its adapter's folder (none for a base)."""

    name: str
    base: str
    adapter: Path | None


def save_adapter(session: Session, claim: Claim, adapter: AdapterRecord) -> None:
    """Write an adapter under a claim's fence; one that is there stays as it is."""
    fence(session, claim)
    parent = None if adapter.parent_key is None else _adapter_id(session, adapter.parent_key)
    row = {
        "key": adapter.key,
        "run_id": adapter.run_id,
        "round": adapter.round,
        "base": adapter.base,
        "path": str(adapter.path),
        "sha256": adapter.sha256,
        "parent_id": parent,
        "data_hash": adapter.data_hash,
        "hyperparameters": adapter.hyperparameters,
        "threads": adapter.threads,
        "steps": adapter.steps,
        "train_loss": adapter.train_loss,
        "wall_s": adapter.wall_s,
        "examples": adapter.examples,
        "examples_cut": adapter.examples_cut,
        "examples_dropped": adapter.examples_dropped,
    }
    session.execute(insert(Adapter).values(row).on_conflict_do_nothing(index_elements=["key"]))


def find_adapter(session: Session, key: str) -> AdapterRecord | None:
    """Return an adapter by its key, or None."""
    found = session.execute(_ADAPTERS.where(Adapter.key == key)).one_or_none()
    return None if found is None else _adapter(*found)


def adapters_of_run(session: Session, run_id: str) -> tuple[AdapterRecord, ...]:
    """Return a run's adapters by round."""
    query = _ADAPTERS.where(Adapter.run_id == run_id).order_by(Adapter.round)
    return tuple(_adapter(*row) for row in session.execute(query))


def lineage(session: Session, key: str) -> tuple[AdapterRecord, ...]:
    """Return an adapter and its ancestors, up to the one that was trained on a step-0 adapter. Raises `NotFound`."""
    chain = (
        select(Adapter.id, Adapter.parent_id, literal(0).label("back"))
        .where(Adapter.key == key)
        .cte("chain", recursive=True)
    )
    chain = chain.union_all(
        select(Adapter.id, Adapter.parent_id, chain.c.back + 1).join(chain, Adapter.id == chain.c.parent_id)
    )
    query = _ADAPTERS.join(chain, chain.c.id == Adapter.id).order_by(chain.c.back)
    found = tuple(_adapter(*row) for row in session.execute(query))
    if not found:
        raise NotFound(f"there is no adapter {key!r}; a run's adapters list those that exist")
    return found


def publish(session: Session, claim: Claim, name: str, base: str, adapter_key: str) -> None:
    """Let a run's policy be used from now on, under a claim's fence."""
    fence(session, claim)
    row = {
        "name": name,
        "base": base,
        "run_id": claim.run_id,
        "round": claim.round,
        "adapter_id": _adapter_id(session, adapter_key),
    }
    session.execute(insert(Policy).values(row).on_conflict_do_nothing())


def publish_base(session: Session, base: str) -> None:
    """Make sure that policy 0 is there: the base under its own name."""
    session.execute(insert(Policy).values(name=base, base=base, round=0).on_conflict_do_nothing())


def list_policies(
    session: Session, runs: Collection[str] = (), limit: int | None = None, after: str = ""
) -> tuple[PolicyFacts, ...]:
    """List published policies by name: those of some runs (of all, if none is named), behind `after`."""
    query = (
        select(Policy.name, Policy.base, Policy.run_id, Policy.round, Adapter.key, Policy.published_at)
        .outerjoin(Adapter, Adapter.id == Policy.adapter_id)
        .where(Policy.name > after)
        .order_by(Policy.name)
        .limit(limit)
    )
    if runs:
        query = query.where(Policy.run_id.in_(runs))
    return tuple(PolicyFacts(*row) for row in session.execute(query))


def get_policy(session: Session, name: str) -> PublishedPolicy:
    """Return a published policy. Raises `NotFound`."""
    query = (
        select(Policy, Adapter.path)
        .outerjoin(Adapter, Adapter.id == Policy.adapter_id)
        .where(Policy.name == name)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound(f"policy {name!r} is not published")
    policy, path = found
    return PublishedPolicy(policy.name, policy.base, None if policy.adapter_id is None else Path(path))


def need(session: Session, name: str) -> None:
    """Note that a policy is needed now."""
    session.execute(update(Policy).where(Policy.name == name).values(needed_at=func.now()))


def spare(session: Session, served: Collection[str]) -> tuple[str, ...]:
    """Return which of the served adapters no running shard needs, the least recently needed first."""
    using = (
        (Phase.name == PhaseName.SIMULATE, Phase.round - 1),
        (Phase.name != PhaseName.SIMULATE, Phase.round),
    )
    in_use = exists().where(
        Phase.status == ShardStatus.RUNNING,
        Phase.name.in_((PhaseName.SIMULATE, PhaseName.PUBLISH, PhaseName.EVALUATE)),
        Phase.run_id == Policy.run_id,
        case(*using) == Policy.round,
    )
    query = select(Policy.name).where(Policy.name.in_(served), Policy.adapter_id.is_not(None), ~in_use)
    return tuple(session.execute(query.order_by(Policy.needed_at.nulls_first(), Policy.name)).scalars())


def count_adapters(session: Session, served: Collection[str]) -> int:
    """Return how many of the served names are adapters of ours."""
    query = select(func.count()).where(Policy.name.in_(served), Policy.adapter_id.is_not(None))
    return session.execute(query).scalar_one()


_PARENT = aliased(Adapter)
_ADAPTERS = select(Adapter, _PARENT.key).outerjoin(_PARENT, _PARENT.id == Adapter.parent_id)


def _adapter(row: Adapter, parent: str | None) -> AdapterRecord:
    return AdapterRecord(
        row.key,
        row.run_id,
        row.round,
        row.base,
        Path(row.path),
        row.sha256,
        parent,
        row.data_hash,
        row.hyperparameters,
        row.threads,
        row.steps,
        row.train_loss,
        row.wall_s,
        row.examples,
        row.examples_cut,
        row.examples_dropped,
    )


def _adapter_id(session: Session, key: str) -> int:
    return session.execute(select(Adapter.id).where(Adapter.key == key)).scalar_one()
