"""A model server that does what it is told to: an answer a request, in the order given."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Says:
    """One answer: a body under a status."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Drops:
    """The connection is closed without an answer."""


class Breaks:
    """The connection is closed in the middle of an answer."""


@dataclass(frozen=True)
class Waits:
    """Nothing comes."""

    seconds: float


Act = Says | Drops | Breaks | Waits


def completion(content: str | None = "Yes.", finish_reason: str | None = "stop", **message: Any) -> Says:
    """Return a chat completion."""
    said = {"role": "assistant", "content": content, **message}
    choice = {"index": 0, "message": said, "finish_reason": finish_reason}
    return Says(body=json.dumps({"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}))


@dataclass
class Misbehaving:
    """A server that acts, and what it was asked."""

    url: str
    asked: list[tuple[str, Any]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)


@asynccontextmanager
async def misbehaving(acts: Sequence[Act]) -> AsyncIterator[Misbehaving]:
    """Serve on a free port; after the last act the server fails every request."""
    left = list(acts)
    seen = Misbehaving("")

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        seen.asked.append((request.path, body))
        seen.connections.add(request.transport.get_extra_info("peername"))
        return await _do(left.pop(0) if left else Says(500, "there is no more"), request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    seen.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield seen
    finally:
        await runner.cleanup()


async def _do(act: Act, request: web.Request) -> web.StreamResponse:
    if isinstance(act, Says):
        return web.Response(status=act.status, text=act.body, headers=act.headers)
    if isinstance(act, Waits):
        await asyncio.sleep(act.seconds)
        return web.Response()
    assert request.transport is not None
    if isinstance(act, Breaks):
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"choices": [')
    request.transport.close()
    return web.Response()
