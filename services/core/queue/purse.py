"""What a run may still spend, as the worker of one of its shards knows it; and what the worker spends, told to all.

`may_begin` is asked before each conversation or item. It knows the worker's own calls to the last one, and others' as of the last
time that accounts were settled in the database: with every batch of facts, and, where there is a budget, once a second or as soon
as a twentieth of what is left was spent here. So the nearer the end, the closer the look, and a run goes beyond its budget by
no more than what is in flight; far from the end it costs next to nothing.

What was spent is counted whatever becomes of the work: on leaving, the rest is paid, also of a shard that was taken away.
"""

import time
from dataclasses import replace
from types import TracebackType

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from services.core.db import budgets
from services.core.db.budgets import Account
from services.core.db.session import after_commit, transaction
from services.core.domain.budget import Reached, Spent, left, used_up
from services.core.domain.errors import DatabaseError, NotFound, OutOfBudget
from services.core.domain.spec import BudgetSpec
from services.core.llm.meter import Meter

SETTLE_EVERY_S = 1.0
SETTLE_AT = 0.05
"""Share of what is left that a worker may spend before it settles."""
_NO_LIMIT = BudgetSpec()

log = structlog.get_logger()


class Purse:
    """Opened by a shard's handler for as long as it works."""

    def __init__(self, engine: Engine, run_id: str, meter: Meter):
        self._engine = engine
        self._run_id = run_id
        self._meter = meter
        self._reached: Reached | None = None

    def __enter__(self) -> "Purse":
        self._meter.begin()
        with transaction(self._engine) as session:
            self._learn(budgets.account(session, self._run_id), self._meter.taken)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._meter.taken == self._paid:
            return
        try:
            self._settle()
        except (DatabaseError, NotFound) as error:
            log.warning("what was spent can't be counted", error=str(error))

    def may_begin(self) -> bool:
        """Tell whether there is something left of the budget. After a no it stays no: what was left out is for another claim."""
        if self._reached is None and self._account.budget != _NO_LIMIT:
            if self._is_stale():
                self._settle()
            self._reached = used_up(self._account.budget, self._spent())
        return self._reached is None

    def pay(self, session: Session) -> None:
        """Count what was spent since, in the transaction of the facts that it was spent on, after its changes of shards."""
        taken, tokens, usd = self._meter.taken, *self._unpaid()
        account = budgets.pay(session, self._run_id, tokens, usd)
        after_commit(session, lambda: self._learn(account, taken))

    def check(self) -> None:
        """Raise `OutOfBudget` if something was not begun."""
        if self._reached is not None:
            raise OutOfBudget(self._reached.words)

    def _settle(self) -> None:
        with transaction(self._engine) as session:
            self.pay(session)

    def _learn(self, account: Account, paid: Spent) -> None:
        self._account = account
        self._paid = paid
        self._learnt_at = time.monotonic()

    def _unpaid(self) -> tuple[int, float | None]:
        taken, paid = self._meter.taken, self._paid
        return taken.tokens - paid.tokens, None if taken.usd is None else taken.usd - (paid.usd or 0.0)

    def _spent(self) -> Spent:
        here_s = time.monotonic() - self._learnt_at
        return self._account.spent.plus(*self._unpaid(), here_s / 3600)

    def _is_stale(self) -> bool:
        if time.monotonic() - self._learnt_at > SETTLE_EVERY_S:
            return True
        budget, known = self._account
        now = replace(self._spent(), hours=known.hours)
        return left(budget, now) < (1 - SETTLE_AT) * left(budget, known)
