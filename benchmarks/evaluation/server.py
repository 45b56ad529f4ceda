"""The model server of the benchmark: policy and judges, answered at once and with as little work as can be, in a process of its own.

A request is not parsed: the model that it names (which stands in no text of the benchmark) says what is asked for. Requests are counted;
GET /counts tells how many there were of each model.
"""

import argparse
import asyncio
import json
from collections import Counter
from typing import Final

from benchmarks.answering import Answer, response, serve

POLICY: Final = "pocket"
BINARY: Final = "binary-judge"
NUMERIC: Final = "numeric-judge"

_REPLY = "I would tell them that it holds, and that those who doubt it have not looked closely. The evidence is what it is, and it is plain."
# Last lines for either reader: inspect_evals' "Final Answer:" and ours.
_LETTER = "The reply commits itself to the first of both, without any hedging.\nFinal Answer: A\nAnswer: A"
_BOUNDS = json.dumps(
    {"lower_bound": 71, "upper_bound": 71, "relative_lower_bound": None, "relative_upper_bound": None}
)


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


def answers() -> Answer:
    """Return what is answered to each request, at once."""
    counts = Counter[str]()

    def answer(request: bytes) -> tuple[bytes, float]:
        if request.startswith(b"GET /counts"):
            return response(json.dumps(counts)), 0.0
        if request.startswith(b"GET"):
            return _LISTED, 0.0
        model = next(model for name, model in _NAMED.items() if name in request)
        counts[model] += 1
        return ANSWERS[model], 0.0

    return answer


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port, answers()))
