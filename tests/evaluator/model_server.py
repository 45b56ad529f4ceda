"""A scripted model behind a real port: answers by a function of what it is asked, and remembers it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Script = Callable[[Any], str]
"""From a request's body to the reply's text; `Fault` is raised for anything else."""


class Fault(Exception):
    """An answer that is no completion."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


@dataclass
class ModelServer:
    """The server and what it was asked."""

    url: str
    script: Script
    asked: list[Any] = field(default_factory=list)

    def questions(self) -> list[str]:
        """Return what stood last in each chat."""
        return [body["messages"][-1]["content"] for body in self.asked]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one chat."""
        body = await request.json()
        self.asked.append(body)
        try:
            text = self.script(body)
        except Fault as fault:
            return web.Response(status=fault.status, text=fault.body)
        message = {"role": "assistant", "content": text}
        completion = {
            "model": f"{body['model']}-2026-01-01",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10},
        }
        return web.Response(text=json.dumps(completion))


@asynccontextmanager
async def model_server(script: Script, port: int = 0) -> AsyncIterator[ModelServer]:
    """Serve on a port, a free one unless it is named."""
    server = ModelServer("", script)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
