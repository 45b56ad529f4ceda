"""Hosted models against a provider that fails in every way: over the wire and through LiteLLM, the same replies and the same causes."""

import asyncio
import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.core.domain.chat import ChatReply, ChatRequest, Message, Sampling
from services.core.domain.endpoint import Endpoint
from services.core.domain.errors import ProviderError, SpecError
from services.core.llm.hosted import LiteLlmModel, WireModel
from services.core.llm.limits import EndpointLimits, Limits, OwnClock, SharedClock, estimated_tokens
from services.core.llm.wire import Patience
from services.simulator.profiles.writer import ANSWER_SCHEMA
from tests.provider.app import LASTING, Provider, completion, is_rating
from tests.provider.process import provider, seen

PATIENCE = Patience(answer_s=1.0, outage_s=20)


def request(number: int, max_tokens: int = 48) -> ChatRequest:
    said = (Message("system", "You play the client."), Message("user", f"How was day {number}?"))
    return ChatRequest("user", said, Sampling(1.0, max_tokens, number))


def model_at(url: str, way: str, limits: Limits | None = None, **more: object) -> WireModel | LiteLlmModel:
    if way == "wire":
        return WireModel(Endpoint.model_validate({"model": "any", "url": url, **more}), limits, PATIENCE)
    there = {"model": "openai/any", "api_base": f"{url}/v1"}
    return LiteLlmModel(Endpoint.model_validate(there | more), limits, PATIENCE)


class Counted:
    """Limits that count the permits that are asked for."""

    def __init__(self) -> None:
        self.permits = 0

    async def wait_for(self, request: ChatRequest) -> None:
        del request
        self.permits += 1


def asked(model: WireModel | LiteLlmModel, requests: Sequence[ChatRequest]) -> list[ChatReply | str]:
    """Return each reply, or the cause of its failure."""

    async def one(which: ChatRequest) -> ChatReply | str:
        try:
            return await model.chat(which)
        except ProviderError as error:
            return error.cause

    async def all_() -> list[ChatReply | str]:
        try:
            return list(await asyncio.gather(*(one(which) for which in requests)))
        finally:
            await model.close()

    return asyncio.run(all_())


@pytest.mark.parametrize("way", ["wire", "litellm"])
def test_a_reply_comes_with_counts_and_price(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with provider() as url:
        (reply,) = asked(model_at(url, way, input_usd_per_million=1, output_usd_per_million=2), [request(1)])
    assert isinstance(reply, ChatReply)
    assert reply.text.startswith("I think ")
    assert (reply.prompt_tokens, reply.finish_reason) == (8, "stop")
    assert reply.cost_usd == pytest.approx((8 + 2 * (reply.completion_tokens or 0)) / 1e6)
    assert prices(reply) == (1, 2)


def prices(reply: ChatReply) -> tuple[float | None, float | None]:
    return reply.input_usd_per_million, reply.output_usd_per_million


@pytest.mark.parametrize("way", ["wire", "litellm"])
def test_a_price_that_nobody_knows_is_none(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with provider() as url:
        (reply,) = asked(model_at(url, way), [request(1)])
    assert isinstance(reply, ChatReply)
    assert (reply.cost_usd, *prices(reply)) == (None, None, None)


def test_without_prices_of_its_own_an_endpoint_has_litellms_and_a_cost_by_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with provider() as url:
        (reply,) = asked(model_at(url, "litellm", model="openai/gpt-4o-mini"), [request(1)])
    assert isinstance(reply, ChatReply)
    assert prices(reply) == (0.15, 0.6)
    assert reply.cost_usd == pytest.approx((0.15 * 8 + 0.6 * (reply.completion_tokens or 0)) / 1e6)


def test_a_sampled_call_is_drawn_anew_whatever_cache_litellm_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with provider() as url:
        model = model_at(url, "litellm")
        # A cache that something else in this process has set up, and that enters itself among the callbacks.
        litellm: Any = sys.modules["litellm"]
        for hooks in ("input_callback", "success_callback", "_async_success_callback"):
            monkeypatch.setattr(litellm, hooks, [])
        monkeypatch.setattr(litellm, "cache", litellm.Cache(type="local"))
        first, second = asyncio.run(one_after_the_other(model, [request(1), request(1)]))
        requests = seen(url)["requests"]
    assert first.text == second.text  # the provider's draw, by the request's seed
    assert requests == 2


async def one_after_the_other(
    model: WireModel | LiteLlmModel, requests: Sequence[ChatRequest]
) -> list[ChatReply]:
    replies: list[ChatReply] = []
    try:
        for which in requests:
            replies.append(await model.chat(which))
            await asyncio.sleep(0.1)  # what is to be cached is written after the reply is there
        return replies
    finally:
        await model.close()


@pytest.mark.parametrize("way", ["wire", "litellm"])
def test_a_reply_that_has_to_fit_a_schema_is_asked_for_with_it(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with provider() as url:
        (reply,) = asked(model_at(url, way), [replace(request(1), answer_schema=ANSWER_SCHEMA)])
    assert isinstance(reply, ChatReply)
    assert json.loads(reply.text).keys() == {"user_context", "user_prompt"}


@pytest.mark.parametrize("way", ["wire", pytest.param("litellm", marks=pytest.mark.slow)])
def test_what_may_pass_passes_and_what_lasts_has_its_cause(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with provider(fault_share=0.05, hang_s=3) as url:
        outcomes = asked(model_at(url, way), [request(number) for number in range(120)])
        faults = seen(url)["faults"]
    causes = Counter(one for one in outcomes if isinstance(one, str))
    assert isinstance(faults, dict)
    assert min(faults[name] for name in ("429", "500", "reset")) > 0
    assert set(causes) == {"timeout", "garbled", "refused", "oversized"}
    assert causes["timeout"] == faults["timeout"]
    assert causes["garbled"] == faults["garbled"]
    assert causes["refused"] == faults["refusal"]
    assert causes["oversized"] == faults["huge"]
    replies = [one.text for one in outcomes if isinstance(one, ChatReply)]
    assert replies.count("") == faults["empty"]


@pytest.mark.parametrize("way", ["wire", pytest.param("litellm", marks=pytest.mark.slow)])
def test_every_try_waits_for_a_permit_of_its_own(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    limits = Counted()
    with provider(fault_share=0.1, hang_s=3) as url:
        asked(model_at(url, way, limits), [request(number) for number in range(30)])
        arrivals = seen(url)["arrivals"]
    assert isinstance(arrivals, list)
    assert limits.permits == len(arrivals) > 30


def test_a_key_that_is_not_there_is_said_by_its_name() -> None:
    with pytest.raises(SpecError, match="NO_SUCH_KEY: holds no key"):
        WireModel(
            Endpoint.model_validate({"model": "any", "url": "http://nowhere", "key_env": "NO_SUCH_KEY"})
        )


def test_a_provider_s_usual_key_that_is_not_there_is_said_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SpecError, match="OPENAI_API_KEY: holds no key for openai/any"):
        LiteLlmModel(Endpoint(model="openai/any"))


@pytest.mark.slow
def test_two_processes_on_one_redis_stay_within_one_limit(redis_url: str) -> None:
    """The server counts: in no minute, however it is cut, more than the limit."""
    limit, each = 600, 400
    ask = (
        "import asyncio, sys; from tests.core.llm.test_hosted import limited; "
        "asyncio.run(limited(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))"
    )
    with provider() as url:
        words = [sys.executable, "-c", ask, url, redis_url, str(limit), str(each)]
        workers = [subprocess.Popen(words) for _ in range(2)]
        assert [worker.wait() for worker in workers] == [0, 0]
        arrivals = seen(url)["arrivals"]
    assert isinstance(arrivals, list)
    assert len(arrivals) == 2 * each
    first = 0
    for last, at in enumerate(arrivals):
        while arrivals[first] <= at - 60:
            first += 1
        assert last - first + 1 <= limit + 2  # the network's jitter at both ends
    assert arrivals[-1] - arrivals[0] > 0.95 * 2 * each / limit * 60


async def limited(url: str, redis_url: str, limit: int, count: int) -> None:
    """Ask so often, under a limit that others share."""
    limits = EndpointLimits("shared", SharedClock(redis_url), limit, None)
    model = WireModel(Endpoint.model_validate({"model": "any", "url": url}), limits)
    await asyncio.gather(*(model.chat(request(number)) for number in range(count)))
    await model.close()


def test_tokens_are_paced_by_what_a_call_may_take() -> None:
    async def waited() -> list[float]:
        clock = OwnClock()
        cost = estimated_tokens(request(1, max_tokens=92)) * 60 / 6000
        return [await clock.reserve("tokens", cost) for _ in range(3)]

    first, second, third = asyncio.run(waited())
    assert estimated_tokens(request(1, max_tokens=92)) == 100
    assert first == 0
    assert second == pytest.approx(1, abs=0.05)
    assert third == pytest.approx(2, abs=0.05)


def test_without_its_redis_a_worker_keeps_the_limit_alone() -> None:
    clock = SharedClock("redis://127.0.0.1:1/0")

    async def waited() -> list[float]:
        return [await clock.reserve("x", 5.0) for _ in range(2)]

    assert asyncio.run(waited())[1] == pytest.approx(5, abs=0.5)


def test_the_fake_is_as_faithful_as_it_says() -> None:
    spec = Provider(fault_share=0.3)
    kinds = {spec._fault(str(number), 1) for number in range(400)}
    assert kinds == {"429", "500", "reset", *LASTING, None}
    assert (
        json.loads(completion("7", {"model": "m", "messages": []}))["choices"][0]["message"]["content"] == "7"
    )
    assert is_rating({"messages": [{"content": "Say a whole number from 1 to 10."}]})


def rating(top_logprobs: int) -> ChatRequest:
    asked = (Message("user", "Rate the reply from 1 to 10."),)
    return ChatRequest("user", asked, Sampling(1.0, 8, 1), top_logprobs=top_logprobs)


@pytest.mark.parametrize("way", ["wire", "litellm"])
def test_log_probabilities_come_place_by_place_where_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with provider() as url:
        with_them, without = asked(model_at(url, way), [rating(20), rating(0)])
    assert isinstance(with_them, ChatReply)
    assert isinstance(without, ChatReply)
    assert without.choices is None
    assert with_them.choices is not None
    (place,) = with_them.choices
    assert place.drawn == with_them.text
    assert place.logprobs[place.drawn] == pytest.approx(math.log(0.5))
    assert sum(math.exp(logprob) for logprob in place.logprobs.values()) == pytest.approx(1)


@pytest.mark.parametrize("way", ["wire", "litellm"])
def test_a_model_that_refuses_or_leaves_them_out_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with provider(logprobs="refused") as url:
        assert asked(model_at(url, way), [rating(20)]) == ["no_logprobs"]
    with provider(logprobs="silent") as url:
        (reply,) = asked(model_at(url, way), [rating(20)])
    assert isinstance(reply, ChatReply)
    assert reply.choices is None
