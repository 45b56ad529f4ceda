"""Budgets in the database: what runs have spent, counted up with the facts that it was spent on, and the limits that hold.

A limit that is reached stops the run in two steps. At once nobody may claim a shard of it (`is_used_up` is part of every claim),
and whoever works one begins nothing more. When no shard is in anybody's hands, the run gets its status (`stop_used_up`): so an
ended run changes no more, and what it has spent is final.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Float, case, cast, exists, func, or_, select, text, update
from sqlalchemy.orm import Session

from services.core.db import events
from services.core.db.tables import Phase, Run
from services.core.domain.budget import Spent, used_up
from services.core.domain.errors import NotFound
from services.core.domain.events import EventKind
from services.core.domain.phases import RunStatus, ShardStatus
from services.core.domain.spec import BudgetSpec

LONGEST_GAP_S = 5.0
"""Hours are counted once a second; over a longer gap nobody was there to count."""


class Account(NamedTuple):
    """A run's limits, and what it has spent."""

    budget: BudgetSpec
    spent: Spent


_ACCOUNT = (
    *(Run.budget_tokens, Run.budget_usd, Run.budget_hours),
    *(Run.spent_tokens, Run.spent_usd, Run.worked_s),
)


def is_used_up() -> ColumnElement[bool]:
    """Return the clause that holds for a run with a limit that is reached; `domain.budget.used_up` says the same."""
    reached = or_(
        Run.spent_tokens >= Run.budget_tokens,
        Run.spent_usd >= Run.budget_usd,
        Run.worked_s >= Run.budget_hours * 3600,
    )
    return func.coalesce(reached, False)


def account(session: Session, run_id: str) -> Account:
    """Return a run's account. Raises `NotFound` if it is gone."""
    row = session.execute(select(*_ACCOUNT).where(Run.id == run_id)).one_or_none()
    return _account(run_id, row)


def pay(session: Session, run_id: str, tokens: int, usd: float | None) -> Account:
    """Count what calls took, and return the account, others' payments included. Raises `NotFound` if the run is gone.

    It is no worker's fact but money that is gone, so no fence is asked. Call it after a transaction's changes of shards.
    """
    known = Run.spent_usd if usd is None else func.coalesce(Run.spent_usd, 0.0) + usd
    paid = (
        update(Run)
        .where(Run.id == run_id)
        .values(spent_tokens=Run.spent_tokens + tokens, spent_usd=known)
        .returning(*_ACCOUNT)
        .execution_options(synchronize_session=False)
    )
    return _account(run_id, session.execute(paid).one_or_none())


def set_budget(session: Session, run_id: str, budget: BudgetSpec) -> None:
    """Let other limits hold for a run."""
    limits = {f"budget_{limit}": value for limit, value in budget}
    session.execute(update(Run).where(Run.id == run_id).values(**limits))


def count_hours(session: Session) -> None:
    """Count the time since the last look for the runs that are in some worker's hands. Any number may look at once."""
    in_hand = exists().where(
        Phase.run_id == Run.id, Phase.status == ShardStatus.RUNNING, Phase.lease_until > func.now()
    )
    not_counted = or_(Run.worked_at.is_(None), Run.worked_at < func.now() - text("interval '0.5 s'"))
    # A run whose row is locked is passed over: it is looked at again in a second.
    worked = (
        select(Run.id)
        .where(Run.status == RunStatus.RUNNING, not_counted, in_hand)
        .with_for_update(skip_locked=True)
    )
    gap_s = cast(func.extract("epoch", func.now() - Run.worked_at), Float)
    counted_s = case((gap_s <= LONGEST_GAP_S, gap_s), else_=0.0)
    session.execute(
        update(Run)
        .where(Run.id.in_(worked))
        .values(worked_s=Run.worked_s + counted_s, worked_at=func.now())
        .execution_options(synchronize_session=False)
    )


def stop_used_up(session: Session) -> Mapping[str, str]:
    """Give runs whose budget is used up their status, if nobody works them any more; return why, by run."""
    going = Run.status == RunStatus.RUNNING
    held = select(Run.id).where(going, is_used_up()).order_by(Run.id).with_for_update(skip_locked=True)
    run_ids = session.execute(held).scalars().all()
    # Only now, since a claim that was quicker than the lock is seen by a new look alone.
    in_hand = exists().where(Phase.run_id == Run.id, Phase.status == ShardStatus.RUNNING)
    left = select(Run.id, *_ACCOUNT).where(Run.id.in_(run_ids), ~in_hand) if run_ids else None
    found = session.execute(left).all() if left is not None else ()
    return {run_id: _stop(session, run_id, _account(run_id, row)) for run_id, *row in found}


def _stop(session: Session, run_id: str, account: Account) -> str:
    reached = used_up(*account)
    assert reached is not None  # the clause says so
    values = {"status": RunStatus.OUT_OF_BUDGET, "error": reached.words}
    session.execute(update(Run).where(Run.id == run_id).values(**values))
    events.append(session, run_id, EventKind.RUN_OUT_OF_BUDGET, error=reached.words)
    return reached.words


def _account(run_id: str, row: Any) -> Account:
    if row is None:
        raise NotFound(f"run {run_id} is gone")
    tokens, usd, hours, spent_tokens, spent_usd, worked_s = row
    return Account(
        BudgetSpec(tokens=tokens, usd=usd, hours=hours), Spent(spent_tokens, spent_usd, worked_s / 3600)
    )
