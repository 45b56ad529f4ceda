"""Serving, side by side: what the simulator adds to a policy server's time (`python -m benchmarks.serving URL`).

The same conversations twice, at 1, 16 and 64 in flight, taking turns: through the simulator (population, users, ratings,
trajectories), and as a bare loop that sends the very same prompts and seeds in the same order a conversation. Then what one call costs this
process in CPU time, by client library. Prints Markdown.
"""

import argparse
import asyncio
import importlib
import importlib.util
import json
import platform
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import aiohttp

from services.core.domain.chat import ChatReply, ChatRequest
from services.core.domain.spec import ConversationSpec, PopulationSpec
from services.core.domain.trajectory import Trajectory
from services.core.llm.policies import WirePolicies
from services.core.settings import PROJECT
from services.pocket.world.users import PocketUser
from services.simulator.conversation import Stage
from services.simulator.engine import simulate
from services.simulator.population import population
from services.simulator.scenarios import load_environment

IN_FLIGHT = (1, 16, 64)
REPEATS = 3
CALLS = 200


class Pace(NamedTuple):
    """How fast one way of asking was."""

    wall_s: float
    tokens: int


class Recorder:
    """A model that notes what it is asked, conversation by conversation, in order."""

    def __init__(self, model: WirePolicies):
        self._model = model
        self.asked: dict[object, list[ChatRequest]] = {}
        self.tokens = 0

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Answer, and note the request; a conversation is a task of its own."""
        self.asked.setdefault(asyncio.current_task(), []).append(request)
        reply = await self._model.chat(request)
        self.tokens += reply.completion_tokens or 0
        return reply


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Compare the simulator with a bare loop against one server.")
    parser.add_argument("url", help="An OpenAI-compatible server of the pocket policy.")
    parser.add_argument("--conversations", type=int, default=192)
    given = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}\n")
    asyncio.run(_measure(given.url, given.conversations))


async def _measure(url: str, conversations: int) -> None:
    print(
        "| in flight | conversations/s | tokens/s | bare loop: conversations/s | ratio |\n|---|---|---|---|---|"
    )
    for in_flight in IN_FLIGHT:
        count = max(16, conversations * in_flight // max(IN_FLIGHT))
        pairs = [await _pair(url, count, in_flight) for _ in range(REPEATS)]
        ours = statistics.median(count / pair[0].wall_s for pair in pairs)
        tokens = statistics.median(pair[0].tokens / pair[0].wall_s for pair in pairs)
        bare = statistics.median(count / pair[1].wall_s for pair in pairs)
        ratio = statistics.median(pair[1].wall_s / pair[0].wall_s for pair in pairs)
        print(f"| {in_flight} | {ours:.1f} | {tokens:,.0f} | {bare:.1f} | {ratio:.2f} |")
    print("\n| client | CPU ms a call |\n|---|---|")
    for name, ask in _clients(url).items():
        print(f"| {name} | {await _cpu_ms(ask):.2f} |")


async def _pair(url: str, conversations: int, in_flight: int) -> tuple[Pace, Pace]:
    client = WirePolicies(url)
    recorder = Recorder(client)
    began = time.perf_counter()
    await _converse(recorder, conversations, in_flight)
    ours = Pace(time.perf_counter() - began, recorder.tokens)
    await client.close()
    return ours, await _replay(url, list(recorder.asked.values()), in_flight)


async def _converse(policy: Recorder, conversations: int, in_flight: int) -> None:
    environment = load_environment(PROJECT / "scenarios/pocket")
    spec = PopulationSpec(biased_share=0.5, conversations=conversations)
    stage = Stage(environment, ConversationSpec(), "pocket", policy, PocketUser(), (1, 1))
    held: list[Trajectory] = []
    await simulate(population(spec, environment, 1, 1), stage, in_flight, held.append)
    assert len(held) == conversations


async def _replay(url: str, talks: Sequence[Sequence[ChatRequest]], in_flight: int) -> Pace:
    free = asyncio.Semaphore(in_flight)
    tokens = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def talk(requests: Sequence[ChatRequest]) -> None:
            nonlocal tokens
            async with free:
                for request in requests:
                    async with session.post(f"{url}/v1/chat/completions", json=_body(request)) as response:
                        answer: dict[str, Any] = await response.json()
                        tokens += answer["usage"]["completion_tokens"]

        began = time.perf_counter()
        await asyncio.gather(*(talk(requests) for requests in talks))
    return Pace(time.perf_counter() - began, tokens)


def _body(request: ChatRequest) -> dict[str, Any]:
    return {
        "model": request.model,
        "messages": [{"role": said.role, "content": said.content} for said in request.messages],
        "temperature": request.sampling.temperature,
        "max_tokens": request.sampling.max_tokens,
        "seed": request.sampling.seed,
    }


Ask = Callable[[], Awaitable[object]]
SHORT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "What is 2 plus 2?"}],
    "max_tokens": 1,
    "seed": 1,
}


def _clients(url: str) -> dict[str, Ask]:
    found: dict[str, Ask] = {"aiohttp": _aiohttp(url)}
    if importlib.util.find_spec("openai"):
        found["openai"] = _openai(url)
    if importlib.util.find_spec("litellm"):
        found["litellm"] = _litellm(url)
    return found


def _aiohttp(url: str) -> Ask:
    session = aiohttp.ClientSession()

    async def ask() -> object:
        async with session.post(f"{url}/v1/chat/completions", json=SHORT | {"model": "pocket"}) as response:
            return json.loads(await response.text())

    return ask


def _openai(url: str) -> Ask:
    openai: Any = importlib.import_module("openai")  # only where someone installed it to compare
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none")
    return lambda: client.chat.completions.create(model="pocket", **SHORT)


def _litellm(url: str) -> Ask:
    litellm: Any = importlib.import_module("litellm")  # likewise
    return lambda: litellm.acompletion(model="openai/pocket", api_base=f"{url}/v1", api_key="none", **SHORT)


async def _cpu_ms(ask: Ask) -> float:
    for _ in range(5):
        await ask()
    began = time.process_time()
    for _ in range(CALLS):
        await ask()
    return (time.process_time() - began) / CALLS * 1000


if __name__ == "__main__":
    main()
