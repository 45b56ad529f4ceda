"""A judge behind a port that can go down, come back, and then answer badly; in a thread of the test's process."""

import asyncio
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiohttp import web

BOUNDS = '{"lower_bound": 7, "upper_bound": 7, "relative_lower_bound": null, "relative_upper_bound": null}'


class JudgeServer:
    """Rules A on everything, unless `say` rules on a question; its port stays the same whether it is up or down."""

    def __init__(self, say: Callable[[str], str] = lambda _: "It says so.\nAnswer: A") -> None:
        self.say = say
        self.asked = 0
        self.malformed = Counter[str]()
        self.passing_share = 0.0
        """Of rulings: no completion, or no answer in it; drawn anew for each try."""
        self.lasting_share = 0.0
        """Of questions: never answered readably."""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        """Listen."""
        asyncio.run_coroutine_threadsafe(self._up(), self._loop).result()

    def down(self) -> None:
        """Refuse connections, and break those that there are."""
        assert self._runner is not None
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()

    def close(self) -> None:
        """End the thread."""
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _up(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked += 1
        question = body["messages"][-1]["content"]
        text = BOUNDS if "response_format" in body else self.say(question)
        if _drawn(question) < self.lasting_share:
            self.malformed["lasting"] += 1
            text = "I would rather not say."
        elif _drawn(question, body["seed"], self.asked) < self.passing_share:
            kind = "garbled" if self.asked % 2 else "unread"
            self.malformed[kind] += 1
            if kind == "garbled":
                return web.Response(text='{"choices": [')
            text = "Hm."
        return web.Response(text=json.dumps(completion(text)))


def completion(text: str) -> dict[str, Any]:
    """Return a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    return {"model": "judge-1", "choices": [choice], "usage": usage}


def _drawn(*parts: object) -> float:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big") / 2**32
