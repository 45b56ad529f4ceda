"""The model server of the benchmark: an answer after a fixed time, and as little work as can be, in a process of its own.

It reads no more of a request than it must (is it asked for a rating?), so that what is measured is who asks. For a server that behaves
as a real one, with faults, see tests/provider.
"""

import argparse
import asyncio
import json
from typing import Final

from benchmarks.answering import Answer, response, serve

MODELS: Final = '{"object": "list", "data": [{"id": "pocket", "object": "model"}]}'
_SAID: Final = (
    "I keep thinking about it all day, honestly, and at night it is worse. My sister says I should talk to somebody, so here I am. "
    "I don't know what I expect from this."
)


def completion(content: str) -> str:
    """Return a chat completion as OpenAI words it."""
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 400, "completion_tokens": 40, "total_tokens": 440}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    about = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "pocket"}
    return json.dumps({**about, "choices": [choice], "usage": usage})


RATED: Final = response(completion("7"))
SPOKEN: Final = response(completion(_SAID))
LISTED: Final = response(MODELS)


def answers(latency_s: float) -> Answer:
    """Return what is answered to each request, after `latency_s` where a model is asked."""

    def answer(request: bytes) -> tuple[bytes, float]:
        if request.startswith(b"GET"):
            return LISTED, 0.0
        return (RATED if b"number alone" in request else SPOKEN), latency_s

    return answer


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency-s", type=float, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.port, answers(given.latency_s)))
