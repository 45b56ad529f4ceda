"""Several servers as one: the load goes where least is in flight, adapters are on all."""

import asyncio
from pathlib import Path

import pytest

from services.core.domain.chat import ChatRequest, Message, Sampling
from services.core.domain.errors import AdapterError
from services.core.llm.fleet import Fleet
from tests.core.llm.shelf import Shelf

QUESTION = ChatRequest("pocket", (Message("user", "Well?"),), Sampling(0.0, 8, seed=7))


def test_a_chat_goes_to_the_server_with_least_in_flight() -> None:
    async def story() -> list[str]:
        slow, quick = Shelf("slow", open_gate=asyncio.Event()), Shelf("quick")
        fleet = Fleet([slow, quick])
        waiting = asyncio.create_task(fleet.chat(QUESTION))
        await asyncio.sleep(0)
        answered = [(await fleet.chat(QUESTION)).text for _ in range(3)]
        slow.open_gate.set()
        return [*answered, (await waiting).text]

    assert asyncio.run(story()) == ["quick", "quick", "quick", "slow"]


def test_a_failed_chat_is_no_longer_in_flight() -> None:
    class Broken(Shelf):
        async def chat(self, request: ChatRequest):
            await super().chat(request)
            raise RuntimeError

    async def story() -> None:
        broken = Broken()
        fleet = Fleet([broken, Shelf()])
        for _ in range(2):
            with pytest.raises(RuntimeError):
                await fleet.chat(QUESTION)
        assert len(broken.asked) == 2

    asyncio.run(story())


def test_an_adapter_is_on_every_server_or_is_not_served() -> None:
    async def story() -> None:
        one, other = Shelf(), Shelf()
        fleet = Fleet([one, other])
        await one.load("run-a-r1", Path("a"))
        assert await fleet.served() == {"pocket"}
        await fleet.load("run-a-r1", Path("a"))
        assert one.adapters == other.adapters == {"run-a-r1": Path("a")}
        assert await fleet.served() == {"pocket", "run-a-r1"}
        await fleet.unload("run-a-r1")
        assert one.adapters == other.adapters == {}
        with pytest.raises(AdapterError):
            await fleet.unload("run-a-r1")

    asyncio.run(story())
