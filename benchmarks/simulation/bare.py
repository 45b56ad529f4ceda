"""The ceiling: asyncio and aiohttp making the same calls in the same order, checking nothing and keeping nothing.

`python -m benchmarks.simulation.bare URL CONVERSATIONS EXCHANGES IN_FLIGHT` prints seconds and CPU seconds as JSON.
"""

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp

from benchmarks.simulation.talks import Talk, talks

_TURNED = {"user": "assistant", "assistant": "user"}


async def hold(url: str, conversations: list[Talk], exchanges: int, in_flight: int) -> None:
    """Hold the conversations, at most `in_flight` at once."""
    free = asyncio.Semaphore(in_flight)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(messages: list[dict[str, str]]) -> str:
            body = {"model": "pocket", "messages": messages, "temperature": 1.0, "max_tokens": 48, "seed": 1}
            async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                answer: dict[str, Any] = await response.json()
            return answer["choices"][0]["message"]["content"]

        async def one(talk: Talk) -> None:
            async with free:
                said = [{"role": "user", "content": talk.opening}]
                for turn in range(exchanges):
                    if turn:
                        said.append({"role": "user", "content": await ask(turned(talk, said))})
                    prompt = {"role": "system", "content": talk.policy_prompt}
                    said.append({"role": "assistant", "content": await ask([prompt, *said])})
                heard = turned(talk, said)
                rated = [[*heard, {"role": "user", "content": prompt}] for prompt in talk.rating_prompts]
                await asyncio.gather(*(ask(messages) for messages in rated))

        await asyncio.gather(*(one(talk) for talk in conversations))


def turned(talk: Talk, said: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the talk as the user model sees it."""
    seen = [{"role": _TURNED[line["role"]], "content": line["content"]} for line in said]
    return [{"role": "system", "content": talk.user_prompt}, *seen]


if __name__ == "__main__":
    url, conversations, exchanges, in_flight = sys.argv[1], *map(int, sys.argv[2:5])
    held = talks(conversations, exchanges)
    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(hold(url, held, exchanges, in_flight))
    print(json.dumps({"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}))
