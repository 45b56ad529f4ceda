"""What a run may still spend, as the worker of one of its shards knows it; and what the worker spends, told to all.

`may_begin` is asked before each conversation or item. It knows the worker's own calls to the last one, and others' as of the last
time that accounts were settled in the database: with every batch of facts, and, where there is a budget, once a second or as soon
as a twentieth of what is left was spent here. So the nearer the end, the closer the look, and a run goes beyond its budget by
no more than what is in flight; far from the end it costs next to nothing.

What was spent is counted whatever becomes of the work: on leaving, the rest is paid, also of a shard that was taken away.
Facts may be written beside the loop (`batches`): accounts are settled by one thread at a time.
"""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple

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


class _Known(NamedTuple):
    """The account as of the last look, and what of this worker's own is in it."""

    account: Account
    paid: Spent
    at_s: float


class Purse:
    """Opened by a shard's handler for as long as it works."""

    def __init__(self, engine: Engine, run_id: str, meter: Meter):
        self._engine = engine
        self._run_id = run_id
        self._meter = meter
        self._reached: Reached | None = None
        self._settling = threading.Lock()

    def __enter__(self) -> "Purse":
        self._meter.begin()
        with transaction(self._engine) as session:
            self._learn(budgets.account(session, self._run_id), self._meter.taken)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        try:
            self._settle_rest()
        except (DatabaseError, NotFound) as error:
            log.warning("what was spent can't be counted", error=str(error))

    def may_begin(self) -> bool:
        """Tell whether there is something left of the budget. After a no it stays no: what was left out is for another claim."""
        if self._reached is None and self._known.account.budget != _NO_LIMIT:
            if self._is_stale() and not self._settling.locked():
                self._settle()
            self._reached = used_up(self._known.account.budget, self._spent(self._known))
        return self._reached is None

    @contextmanager
    def paid(self) -> Generator[Session]:
        """Yield a transaction for facts, at whose end is counted what was spent since the last one."""
        with self._settling, transaction(self._engine) as session:
            yield session
            taken = self._meter.taken
            account = budgets.pay(session, self._run_id, *_unpaid(taken, self._known.paid))
            after_commit(session, lambda: self._learn(account, taken))

    def check(self) -> None:
        """Raise `OutOfBudget` if something was not begun."""
        if self._reached is not None:
            raise OutOfBudget(self._reached.words)

    def _settle(self) -> None:
        with self.paid():
            pass

    def _settle_rest(self) -> None:
        with self._settling:
            is_settled = self._meter.taken == self._known.paid
        if not is_settled:
            self._settle()

    def _learn(self, account: Account, paid: Spent) -> None:
        self._known = _Known(account, paid, time.monotonic())

    def _spent(self, known: _Known) -> Spent:
        here_s = time.monotonic() - known.at_s
        return known.account.spent.plus(*_unpaid(self._meter.taken, known.paid), here_s / 3600)

    def _is_stale(self) -> bool:
        known = self._known
        if time.monotonic() - known.at_s > SETTLE_EVERY_S:
            return True
        budget, spent = known.account
        now = replace(self._spent(known), hours=spent.hours)
        return left(budget, now) < (1 - SETTLE_AT) * left(budget, spent)


def _unpaid(taken: Spent, paid: Spent) -> tuple[int, float | None]:
    return taken.tokens - paid.tokens, None if taken.usd is None else taken.usd - (paid.usd or 0.0)
