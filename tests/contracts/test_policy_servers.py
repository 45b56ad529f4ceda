"""Every server of policies keeps one contract: in this process, or at the other end of a wire."""

import asyncio
import shutil
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from services.core.domain.chat import ChatReply, ChatRequest, Message
from services.core.domain.errors import AdapterError, ProviderError
from services.core.llm.directory import ServedPolicies
from services.core.llm.policies import WirePolicies
from services.pocket.policy.server import PocketServer
from tests.e2e.serving import serving
from tests.pocket.chats import pressured_chats, request
from tests.pocket.conftest import make_adapter


@dataclass(frozen=True)
class Held:
    """A server that is held to the contract, and the loop on which it is spoken to."""

    server: ServedPolicies
    loop: asyncio.Runner

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run(work)

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """All at once; without the time it took."""

        async def asked() -> list[ChatReply]:
            return await asyncio.gather(*(self.server.chat(one) for one in requests))

        return [replace(reply, latency_s=0.0) for reply in self.do(asked())]


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of adapters, with one in it that changes what is said, and a copy."""
    folder = tmp_path_factory.mktemp("adapters")
    make_adapter(folder / "one", use_rslora=False)
    shutil.copytree(folder / "one", folder / "other")
    return folder


@pytest.fixture(scope="module", params=["in process", "wire"])
def held(request: pytest.FixtureRequest, adapters: Path) -> Iterator[Held]:
    with asyncio.Runner() as loop:
        if request.param == "in process":
            yield Held(PocketServer(), loop)
            return
        with serving("pocket", "serve", "--adapters", str(adapters), health="/health") as process:
            server = WirePolicies(process.url)
            yield Held(server, loop)
            loop.run(server.close())


@pytest.fixture(scope="module")
def reference(adapters: Path) -> Iterator[Held]:
    """What is to be said: an in-process server that serves the adapter as `tuned`."""
    with asyncio.Runner() as loop:
        server = PocketServer()
        loop.run(server.load("tuned", adapters / "one"))
        yield Held(server, loop)


@pytest.mark.parametrize("model", ["pocket", "tuned"])
def test_the_same_seeds_get_the_same_replies(held: Held, reference: Held, adapters: Path, model: str):
    held.do(held.server.load("tuned", adapters / "one"))
    chats = pressured_chats(24)
    requests = [request(chat, seed, model=model) for seed, chat in enumerate(chats)]
    requests += [request(chat, 5, model=model, temperature=0.7, top_p=0.9) for chat in chats]
    requests += [request(chat, 5, model=model, temperature=0.0, max_tokens=3) for chat in chats]
    replies = held.ask(requests)
    assert replies == reference.ask(requests)
    assert {reply.finish_reason for reply in replies} == {"stop", "length"}


def test_base_and_adapter_differ(held: Held, adapters: Path):
    held.do(held.server.load("tuned", adapters / "one"))
    said = [
        [reply.text for reply in held.ask([request(chat, 1, model=model) for chat in pressured_chats(12)])]
        for model in ("pocket", "tuned")
    ]
    assert said[0] != said[1]


def test_names_come_and_go(held: Held, adapters: Path):
    before = held.do(held.server.served())
    assert "pocket" in before
    for _ in range(2):
        held.do(held.server.load("visitor", adapters / "one"))
        assert held.do(held.server.served()) == before | {"visitor"}
    held.do(held.server.unload("visitor"))
    assert held.do(held.server.served()) == before
    with pytest.raises(ProviderError) as caught:
        held.ask([request(pressured_chats(1)[0], 1, model="visitor")])
    assert caught.value.cause == "unknown_model"


def test_a_used_name_never_gets_other_weights(held: Held, adapters: Path):
    held.do(held.server.load("taken", adapters / "one"))
    with pytest.raises(AdapterError, match=r"^taken: .*new name"):
        held.do(held.server.load("taken", adapters / "other"))
    with pytest.raises(AdapterError, match=r"^pocket: .*new name"):
        held.do(held.server.load("pocket", adapters / "one"))


def test_many_may_load_one_adapter_at_once(held: Held, adapters: Path):
    async def together() -> None:
        await asyncio.gather(*(held.server.load("wanted", adapters / "one") for _ in range(8)))

    held.do(together())
    assert "wanted" in held.do(held.server.served())


def test_of_two_weights_that_race_for_a_name_one_wins(held: Held, adapters: Path):
    async def race() -> list[BaseException | None]:
        folders = [adapters / "one", adapters / "other"]
        loads = (held.server.load("raced", folder) for folder in folders)
        return await asyncio.gather(*loads, return_exceptions=True)

    outcomes = held.do(race())
    assert sorted(type(outcome) for outcome in outcomes if outcome) == [AdapterError]


def test_a_probe_tells_policies_apart_and_repeats(held: Held, reference: Held, adapters: Path):
    held.do(held.server.load("tuned", adapters / "one"))
    for name in ("pocket", "tuned"):
        probe = held.do(held.server.probe(name))
        assert probe == reference.do(reference.server.probe(name))
        assert all(value <= 0 for value in probe.logprobs)
    assert held.do(held.server.probe("pocket")) != held.do(held.server.probe("tuned"))


@pytest.mark.parametrize("name", ["ghost", "pocket"])
def test_what_is_no_adapter_is_not_unloaded(held: Held, name: str):
    with pytest.raises(AdapterError, match=f"^{name}: "):
        held.do(held.server.unload(name))
    assert "pocket" in held.do(held.server.served())


def test_what_is_not_served_is_not_probed(held: Held):
    with pytest.raises(AdapterError, match=r"^ghost: "):
        held.do(held.server.probe("ghost"))


def test_what_is_no_adapter_folder_is_not_loaded(held: Held, adapters: Path):
    with pytest.raises(AdapterError, match=str(adapters / "missing")):
        held.do(held.server.load("bad", adapters / "missing"))
    assert "bad" not in held.do(held.server.served())


@pytest.mark.parametrize(
    ("chat", "model", "cause"),
    [("what is 2 plus 2?", "nobody", "unknown_model"), ("what " * 1100, "pocket", "context_length")],
)
def test_refusals_have_causes(held: Held, chat: str, model: str, cause: str):
    with pytest.raises(ProviderError) as caught:
        held.ask([request((Message("user", chat),), 1, model=model)])
    assert caught.value.cause == cause
