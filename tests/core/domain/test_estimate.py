"""The estimate's arithmetic: what is exact, what nobody knows, and that more of anything never takes less."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.domain.endpoint import Endpoint
from services.core.domain.estimate import (
    Calls,
    Estimate,
    Outline,
    Speed,
    estimate,
    reply_tokens,
    selected,
    total,
)
from services.core.domain.spec import RunSpec

PRICED = Endpoint(model="m", input_usd_per_million=2, output_usd_per_million=10)
UNPRICED = Endpoint(model="m", url="http://users:8000")  # pyright: ignore[reportArgumentType]
SPEED = Speed(prompt=1000, completion=100, training=500)
counts = st.integers(0, 10_000)


def spec(**changes: object) -> RunSpec:
    values = {"name": "t", "rounds": 2, "population": {"biased_share": 0.5, "conversations": 100}}
    return RunSpec.model_validate({**values, "training": {"method": "sft", "epochs": 1}, **changes})


def outline(endpoint: Endpoint = PRICED, *, users: int = 1, asked: int = 100) -> Outline:
    talk = (
        Calls("conversations", "assistant", "pocket", 2, 500, 100, 400),
        Calls("conversations", "user", "u", users, asked, 10, 50),
    )
    return Outline(talk, (Calls("mask", "judge", "u", 6, 900, 60, 3000),), 4, {"u": endpoint}, SPEED)


@pytest.mark.parametrize(
    ("kind", "most", "tokens"),
    [("assistant", 400, 200), ("assistant", 48, 24), ("rating", 32, 3), ("user", 1, 1), ("mask", 1000, 250)],
)
def test_a_reply_is_typical_unless_its_bound_is_near(kind: str, most: int, tokens: int) -> None:
    assert reply_tokens(kind, most) == tokens


def test_calls_are_those_of_every_conversation_and_measurement() -> None:
    found = estimate(spec(), outline(), round_tokens=0, evaluations=3)
    assert {(one.role, one.calls) for one in found.calls} == {
        ("assistant", 400),
        ("user", 200),
        ("judge", 18),
    }
    (users,) = (one for one in found.calls if one.role == "user")
    assert (users.prompt_tokens, users.completion_tokens) == (20_000, 2000)
    assert found.usd_of(users) == pytest.approx((20_000 * 2 + 2000 * 10) / 1e6)


def test_what_is_served_here_costs_hours_and_no_money() -> None:
    found = estimate(spec(), outline(), round_tokens=0, evaluations=0)
    (policy,) = (one for one in found.calls if one.model == "pocket")
    assert found.usd_of(policy) == 0
    assert found.hours.conversations * 3600 >= policy.prompt_tokens / 1000 + policy.completion_tokens / 100


def test_an_unknown_price_is_named_and_not_nothing() -> None:
    found = estimate(spec(), outline(UNPRICED), round_tokens=0, evaluations=1)
    assert (found.usd, found.priced_usd, found.unpriced) == (None, 0, ("u",))
    both = total([found, estimate(spec(), dataclasses.replace(outline(), hosted={"v": PRICED}), 0, 1)])
    assert both.usd is None


def test_a_limit_on_requests_or_tokens_sets_the_pace() -> None:
    free = estimate(spec(), outline(), 0, 0).hours.conversations
    requests = PRICED.model_copy(update={"requests_per_minute": 1})
    tokens = PRICED.model_copy(update={"tokens_per_minute": 150})
    assert free < 0.2
    assert estimate(spec(), outline(requests), 0, 0).hours.conversations == pytest.approx(200 / 60)
    # A call counts with the longest reply that it may get: 100 tokens asked and 50 bounded, 200 times.
    assert estimate(spec(), outline(tokens), 0, 0).hours.conversations == pytest.approx(200 / 60)


def test_thoughts_are_paid_for_up_to_the_bound() -> None:
    thinks = PRICED.model_copy(update={"reasoning_tokens": 100})
    found = {one.role: one for one in estimate(spec(), outline(thinks), 0, 1).calls}
    assert found["judge"].completion_tokens == 60 + 6 * 100
    assert found["user"].completion_tokens == 200 * 50


@pytest.mark.parametrize(("method", "passes"), [("sft", 1), ("kto", 1.8)])
def test_training_takes_its_tokens_and_kto_takes_longer_for_them(method: str, passes: float) -> None:
    training = {"method": method, "epochs": 3}
    found = estimate(spec(training=training), outline(), round_tokens=1000, evaluations=0)
    assert found.trained_tokens == 2 * 3 * 1000
    assert found.hours.training == pytest.approx(passes * 6000 / 500 / 3600)


@pytest.mark.parametrize(
    ("selection", "method", "trains"),
    [
        ({}, "sft", 50),
        ({}, "kto", 100),
        ({"top": 30, "bottom": 90}, "kto", 100),
        ({"top": 0.1, "pool": "scenario"}, "sft", 4 * 2),
        ({"top": 3, "bottom": 2, "pool": "scenario"}, "kto", 4 * 5),
    ],
)
def test_as_many_train_as_selection_takes(selection: dict[str, object], method: str, trains: int) -> None:
    assert selected(spec(selection=selection, training={"method": method}), scenarios=4) == trains


@given(counts, counts, st.integers(1, 4096))
def test_more_conversations_never_take_less(few: int, more: int, in_flight: int) -> None:
    def found(conversations: int) -> Estimate:
        population = {"biased_share": 0.5, "conversations": conversations}
        selection = {"top": 1, "bottom": 1}
        wanted = spec(population=population, selection=selection, concurrency={"in_flight": in_flight})
        return estimate(wanted, outline(), 10, 2)

    small, large = found(1 + few), found(1 + few + more)
    assert small.priced_usd <= large.priced_usd
    assert small.hours.total <= large.hours.total
    assert sum(one.calls for one in small.calls) <= sum(one.calls for one in large.calls)


@given(st.lists(st.tuples(st.integers(1, 5), counts), min_size=1, max_size=6))
def test_runs_add_up(arms: list[tuple[int, int]]) -> None:
    alone = [estimate(spec(rounds=rounds), outline(asked=asked), asked, rounds + 1) for rounds, asked in arms]
    together = total(alone)
    assert together.usd is not None
    assert math.isclose(together.usd, sum(one.usd or 0 for one in alone))
    assert math.isclose(together.hours.total, sum(one.hours.total for one in alone))
    assert together.trained_tokens == sum(one.trained_tokens for one in alone)
    assert sum(one.calls for one in together.calls) == sum(call.calls for one in alone for call in one.calls)
