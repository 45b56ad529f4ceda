"""Budgets as arithmetic: when a limit is reached, how much is left, how limits are raised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.domain.budget import Spent, changed, left, raised, used_up
from services.core.domain.spec import BudgetSpec

AMOUNTS = st.none() | st.integers(1, 10**9)
BUDGETS = st.builds(BudgetSpec, tokens=AMOUNTS, usd=AMOUNTS, hours=st.none() | st.integers(1, 10**6))
SPENT = st.builds(
    Spent, st.integers(0, 10**10), st.none() | st.floats(0, 1e9), st.floats(0, 1e6, allow_nan=False)
)


@pytest.mark.parametrize(
    ("budget", "spent", "words"),
    [
        ({}, Spent(10**12, 1e6, 1e5), None),
        ({"tokens": 100}, Spent(99), None),
        ({"tokens": 100}, Spent(100), "budget.tokens: 100 of 100 tokens are spent"),
        ({"tokens": 50_000}, Spent(52_310), "budget.tokens: 52,310 of 50,000 tokens are spent"),
        ({"usd": 1.5}, Spent(10, None), None),
        ({"usd": 1.5}, Spent(10, 1.5), "budget.usd: 1.5 of 1.5 US dollars are spent"),
        ({"hours": 2}, Spent(0, None, 1.999), None),
        ({"hours": 2}, Spent(0, None, 2.5), "budget.hours: 2.5 of 2 hours are spent"),
        ({"tokens": 9, "hours": 2}, Spent(9, None, 3), "budget.tokens: 9 of 9 tokens are spent"),
    ],
)
def test_a_limit_is_reached_when_as_much_is_spent(
    budget: dict[str, float], spent: Spent, words: str | None
) -> None:
    reached = used_up(BudgetSpec.model_validate(budget), spent)
    assert (reached and reached.words) == words


@given(BUDGETS, SPENT)
def test_nothing_is_left_exactly_when_a_limit_is_reached(budget: BudgetSpec, spent: Spent) -> None:
    assert (left(budget, spent) == 0) == (used_up(budget, spent) is not None)
    assert 0 <= left(budget, spent) <= 1


@given(BUDGETS, BUDGETS)
def test_launching_again_takes_no_limit_away_and_lowers_none(budget: BudgetSpec, by: BudgetSpec) -> None:
    for (name, now), (_, was), (_, other) in zip(raised(budget, by), budget, by, strict=True):
        given_values = [value for value in (was, other) if value is not None]
        assert now == max(given_values, default=None), name


def test_resuming_changes_the_limits_that_are_given_and_no_other() -> None:
    budget = BudgetSpec(tokens=100, usd=5)
    assert changed(budget, BudgetSpec(tokens=50, hours=1)) == BudgetSpec(tokens=50, usd=5, hours=1)


def test_an_unknown_price_is_not_nothing() -> None:
    assert Spent().plus(5, None) == Spent(5, None)
    assert Spent().plus(5, 0.5).plus(5, None) == Spent(10, 0.5)
    assert Spent().plus(0, 0.0).usd == 0
