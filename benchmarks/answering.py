"""What the benchmarks' model servers share: HTTP read with as little work as can be, so that what is measured is who asks."""

import asyncio
from collections.abc import Callable
from typing import Final

Answer = Callable[[bytes], tuple[bytes, float]]
"""From a whole request to the answer, and the seconds until it is sent."""


def response(body: str) -> bytes:
    """Return an HTTP answer that keeps its connection."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return (head + body).encode()


class Answering(asyncio.Protocol):
    """One connection; requests on it come one after another."""

    def __init__(self, answer: Answer):
        self._answer: Final = answer
        self._waiting = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        assert self._transport is not None
        self._waiting += data
        while (end := self._end()) is not None:
            request = bytes(self._waiting[:end])
            del self._waiting[:end]
            answer, after_s = self._answer(request)
            if after_s:
                asyncio.get_running_loop().call_later(after_s, self._transport.write, answer)
            else:
                self._transport.write(answer)

    def _end(self) -> int | None:
        """Return where the first request ends, or None while it is not whole."""
        head = self._waiting.find(b"\r\n\r\n")
        if head < 0:
            return None
        named = bytes(self._waiting[:head]).lower().partition(b"content-length:")[2]
        end = head + 4 + (int(named.split(b"\r\n", 1)[0]) if named else 0)
        return end if end <= len(self._waiting) else None


async def serve(port: int, answer: Answer) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(answer), "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()
