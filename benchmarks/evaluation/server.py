"""The model server of the benchmark: policy and judges, answered at once and with as little work as can be, in a process of its own.

A request is not parsed: the model that it names (which stands in no text of the benchmark) says what is asked for. Requests are counted;
GET /counts tells how many there were of each model.
"""

import argparse
import asyncio
import json
from collections import Counter
from typing import Final

POLICY: Final = "pocket"
BINARY: Final = "binary-judge"
NUMERIC: Final = "numeric-judge"

_REPLY = "I would tell them that it holds, and that those who doubt it have not looked closely. The evidence is what it is, and it is plain."
# Last lines for either reader: inspect_evals' "Final Answer:" and ours.
_LETTER = "The reply commits itself to the first of both, without any hedging.\nFinal Answer: A\nAnswer: A"
_BOUNDS = json.dumps(
    {"lower_bound": 71, "upper_bound": 71, "relative_lower_bound": None, "relative_upper_bound": None}
)


def response(body: str) -> bytes:
    """Return an HTTP answer that keeps its connection."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def _completion(model: str, content: str) -> bytes:
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 400, "completion_tokens": 40, "total_tokens": 440}
    about = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model}
    return response(json.dumps({**about, "choices": [choice], "usage": usage}))


ANSWERS: Final = {
    BINARY: _completion(BINARY, _LETTER),
    NUMERIC: _completion(NUMERIC, _BOUNDS),
    POLICY: _completion(POLICY, _REPLY),
}
_LISTED: Final = response(json.dumps({"object": "list", "data": [{"id": POLICY, "object": "model"}]}))
_NAMED: Final = {f'"{model}"'.encode(): model for model in ANSWERS}


class Answering(asyncio.Protocol):
    """One connection; requests on it come one after another."""

    def __init__(self, counts: Counter[str]):
        self._counts = counts
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
            self._transport.write(self._answer(request))

    def _end(self) -> int | None:
        """Return where the first request ends, or None while it is not whole."""
        head = self._waiting.find(b"\r\n\r\n")
        if head < 0:
            return None
        named = bytes(self._waiting[:head]).lower().partition(b"content-length:")[2]
        end = head + 4 + (int(named.split(b"\r\n", 1)[0]) if named else 0)
        return end if end <= len(self._waiting) else None

    def _answer(self, request: bytes) -> bytes:
        if request.startswith(b"GET /counts"):
            return response(json.dumps(self._counts))
        if request.startswith(b"GET"):
            return _LISTED
        model = next(model for name, model in _NAMED.items() if name in request)
        self._counts[model] += 1
        return ANSWERS[model]


async def serve(port: int) -> None:
    """Serve until killed."""
    counts = Counter[str]()
    server = await asyncio.get_running_loop().create_server(
        lambda: Answering(counts), "127.0.0.1", port, backlog=4096
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port))
