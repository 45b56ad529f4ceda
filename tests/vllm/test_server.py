"""vLLM's answers: seeded, with log-probabilities, and what Hugging Face and PEFT would say."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from services.core.domain.chat import ChatReply, Message
from services.core.domain.errors import AdapterError
from services.core.llm.policies import WirePolicies
from tests.pocket.chats import pressured_chats, request
from tests.pocket.conftest import make_adapter
from tests.vllm.conftest import TwoRounds
from tests.vllm.reference import greedy_tokens
from tests.vllm.serving import VllmServer

MOST_TOKENS = 24
Result = TypeVar("Result")


def with_client(vllm: VllmServer, work: Callable[[WirePolicies], Awaitable[Result]]) -> Result:
    """Do something with a client of its own."""

    async def working() -> Result:
        client = WirePolicies(vllm.url)
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(working())


async def greedy(client: WirePolicies, model: str, chats: Sequence[tuple[Message, ...]]) -> list[ChatReply]:
    asked = (request(chat, 0, model=model, temperature=0.0, max_tokens=MOST_TOKENS) for chat in chats)
    return list(await asyncio.gather(*(client.chat(one) for one in asked)))


def test_a_seeded_chat_repeats(vllm: VllmServer) -> None:
    chat = pressured_chats(1)[0]

    async def ask(client: WirePolicies) -> list[str]:
        return [(await client.chat(request(chat, seed))).text for seed in (*range(8), *range(8))]

    texts = with_client(vllm, ask)
    assert texts[:8] == texts[8:]
    assert len(set(texts)) > 1


def test_a_probe_tells_log_probabilities(vllm: VllmServer) -> None:
    probe = with_client(vllm, lambda client: client.probe("pocket"))
    assert probe.logprobs
    assert all(value <= 0 for value in probe.logprobs)


@pytest.mark.parametrize("round_", [0, 2])
def test_greedy_replies_are_those_of_hugging_face_and_peft(
    vllm: VllmServer, two_rounds: TwoRounds, round_: int
) -> None:
    chats = pressured_chats(60)
    name, adapter = "pocket", None
    if round_:
        name, adapter = f"run-{two_rounds.run_id}-r{round_}", two_rounds.adapter(round_)

    async def ask(client: WirePolicies) -> list[ChatReply]:
        if adapter:
            await client.load(name, adapter)
        return await greedy(client, name, chats)

    replies = with_client(vllm, ask)
    assert [reply.token_ids for reply in replies] == greedy_tokens(chats, adapter, MOST_TOKENS)


def test_an_adapter_is_loaded_probed_routed_and_unloaded(vllm: VllmServer, two_rounds: TwoRounds) -> None:
    async def use(client: WirePolicies) -> None:
        await client.load("come-and-go", two_rounds.adapter(1))
        assert "come-and-go" in await client.served()
        assert (await client.probe("come-and-go")).logprobs != (await client.probe("pocket")).logprobs
        (reply,) = await greedy(client, "come-and-go", pressured_chats(1))
        assert reply.text
        await client.unload("come-and-go")
        assert "come-and-go" not in await client.served()
        with pytest.raises(AdapterError):
            await client.probe("come-and-go")

    with_client(vllm, use)


def test_a_name_never_means_other_weights(vllm: VllmServer, two_rounds: TwoRounds) -> None:
    async def misuse(client: WirePolicies) -> None:
        await client.load("taken", two_rounds.adapter(1))
        await client.load("taken", two_rounds.adapter(1))
        with pytest.raises(AdapterError, match="publish under a new name"):
            await client.load("taken", two_rounds.adapter(2))
        await client.unload("taken")

    with_client(vllm, misuse)


def test_after_a_swap_no_reply_is_the_old_adapters(vllm: VllmServer, tmp_path: Path) -> None:
    """The prefix cache is keyed by name: were the new round's name an old one, its cached prompts would answer."""
    # Updates so large that two of them hardly ever say the same.
    old, new = (make_adapter(tmp_path / f"{seed}", seed=seed, scale=1.0) for seed in (1, 2))
    chats = pressured_chats(20)
    would_say = {adapter: greedy_tokens(chats, adapter, MOST_TOKENS) for adapter in (old, new)}
    assert all(was != is_ for was, is_ in zip(would_say[old], would_say[new], strict=True))

    async def swap(client: WirePolicies) -> list[ChatReply]:
        await client.load("run-swap-r1", old)
        for _ in range(2):
            warm = await greedy(client, "run-swap-r1", chats)
        assert [reply.token_ids for reply in warm] == would_say[old]
        await client.load("run-swap-r2", new)
        await client.unload("run-swap-r1")
        replies = await greedy(client, "run-swap-r2", chats)
        await client.unload("run-swap-r2")
        return replies

    replies = with_client(vllm, swap)
    assert [reply.token_ids for reply in replies] == would_say[new]
