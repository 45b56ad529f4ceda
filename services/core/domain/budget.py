"""Budgets as arithmetic: what is spent, whether a limit is reached, and how limits are raised.

A limit is reached when as much is spent as it allows. What ran out is said in one line that names the field.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from services.core.domain.spec import BudgetSpec

Limit = Literal["tokens", "usd", "hours"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has taken so far."""

    tokens: int = 0
    """Of all calls, asked and answered, as far as servers told."""
    usd: float | None = None
    """Of the calls whose price is known; None if none is."""
    hours: float = 0.0
    """By the clock, in which some worker had a part of the run in hand."""

    def plus(self, tokens: int, usd: float | None, hours: float = 0.0) -> "Spent":
        """Return this and that together; an unknown price adds nothing, and leaves unknown what is unknown."""
        known = self.usd if usd is None else (self.usd or 0.0) + usd
        return Spent(self.tokens + tokens, known, self.hours + hours)


class Reached(NamedTuple):
    """A limit that was reached."""

    limit: Limit
    words: str
    """Such as `budget.tokens: 52,310 of 50,000 tokens are spent`."""


def used_up(budget: BudgetSpec, spent: Spent) -> Reached | None:
    """Return the first limit that is reached, or None while there is something left of all."""
    usd = spent.usd or 0.0
    if budget.tokens is not None and spent.tokens >= budget.tokens:
        return Reached("tokens", f"budget.tokens: {spent.tokens:,} of {budget.tokens:,} tokens are spent")
    if budget.usd is not None and usd >= budget.usd:
        return Reached("usd", f"budget.usd: {usd:,.4g} of {budget.usd:,.4g} US dollars are spent")
    if budget.hours is not None and spent.hours >= budget.hours:
        return Reached("hours", f"budget.hours: {spent.hours:,.4g} of {budget.hours:,.4g} hours are spent")
    return None


def left(budget: BudgetSpec, spent: Spent) -> float:
    """Return the smallest share of a limit that is left, 0 to 1; 1 where there is no limit."""
    shares = [1.0]
    if budget.tokens is not None:
        shares.append(1 - spent.tokens / budget.tokens)
    if budget.usd is not None:
        shares.append(1 - (spent.usd or 0.0) / budget.usd)
    if budget.hours is not None:
        shares.append(1 - spent.hours / budget.hours)
    return max(min(shares), 0.0)


def raised(budget: BudgetSpec, by: BudgetSpec) -> BudgetSpec:
    """Return a budget under which a spec that is launched again goes on: each limit the larger of both.

    A limit that only one of them has holds: leaving a line out of a spec must not take a limit away.
    """
    larger = {name: value for name, value in by if value is not None and value > (getattr(budget, name) or 0)}
    return budget.model_copy(update=larger)


def changed(budget: BudgetSpec, to: BudgetSpec) -> BudgetSpec:
    """Return a budget with the limits that `to` has in place of its own."""
    return budget.model_copy(update=to.model_dump(exclude_none=True))
