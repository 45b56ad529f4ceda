"""The model server of the benchmark: an answer after a fixed time, and as little work as can be, in a process of its own.

It reads no more of a request than it must (is it asked for a rating?), so that what is measured is who asks. For a server that behaves
as a real one, with faults, see tests/provider.
"""

import argparse
import asyncio
import json
from typing import Final

MODELS: Final = b'{"object": "list", "data": [{"id": "pocket", "object": "model"}]}'
_SAID: Final = (
    "I keep thinking about it all day, honestly, and at night it is worse. My sister says I should talk to somebody, so here I am. "
    "I don't know what I expect from this."
)


def completion(content: str) -> bytes:
    """Return a chat completion as OpenAI words it."""
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 400, "completion_tokens": 40, "total_tokens": 440}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    about = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "pocket"}
    return json.dumps({**about, "choices": [choice], "usage": usage}).encode()


def response(body: bytes) -> bytes:
    """Return an HTTP answer that keeps its connection."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


RATED: Final = response(completion("7"))
SPOKEN: Final = response(completion(_SAID))
LISTED: Final = response(MODELS)


class Answering(asyncio.Protocol):
    """One connection; requests on it come one after another."""

    def __init__(self, latency_s: float):
        self._latency_s = latency_s
        self._waiting = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._waiting += data
        while (end := self._end()) is not None:
            request = bytes(self._waiting[:end])
            del self._waiting[:end]
            self._answer(request)

    def _end(self) -> int | None:
        """Return where the first request ends, or None while it is not whole."""
        head = self._waiting.find(b"\r\n\r\n")
        if head < 0:
            return None
        named = bytes(self._waiting[:head]).lower().partition(b"content-length:")[2]
        end = head + 4 + (int(named.split(b"\r\n", 1)[0]) if named else 0)
        return end if end <= len(self._waiting) else None

    def _answer(self, request: bytes) -> None:
        assert self._transport is not None
        if request.startswith(b"GET"):
            self._transport.write(LISTED)
            return
        answer = RATED if b"number alone" in request else SPOKEN
        asyncio.get_running_loop().call_later(self._latency_s, self._transport.write, answer)


async def serve(port: int, latency_s: float) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(latency_s), "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency-s", type=float, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.port, given.latency_s))
