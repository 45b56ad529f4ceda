"""A faithful fake of the OpenAI API: it plays users and rates, writes people, takes its time, counts, and fails as real providers do.

Everything is drawn from a hash of the request, so two conversations never share a fate by accident, and a run repeats. A fault that
may pass is drawn anew for each try. `GET /seen` tells what it was asked.
"""

import asyncio
import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.provider import people

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

PASSING = ("429", "500", "reset")
"""Faults that a second try may not meet."""
LASTING = ("timeout", "garbled", "empty", "refusal", "controls", "huge", "no_number")
"""Faults that are the answer to this request."""
_WORDS = (
    "maybe",
    "honestly",
    "tonight",
    "again",
    "tired",
    "work",
    "home",
    "money",
    "sleep",
    "friends",
    "mother",
    "later",
)


@dataclass
class Provider:
    """The server's behaviour, and what it has seen."""

    latency_s: float = 0.0
    fault_share: float = 0.0
    """Of each fault."""
    hang_s: float = 60.0
    person_fault_share: float = 0.0
    """Of each fault of a person."""
    logprobs: str = "told"
    """Whether log-probabilities that are asked for are `told` (with ratings), left out (`silent`), or `refused`."""
    requests: int = 0
    arrivals: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    tries: Counter[str] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)
    """Written, by what is wrong with them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        if scope["path"] == "/seen":
            seen = {
                "requests": self.requests,
                "faults": self.faults,
                "arrivals": self.arrivals,
                "people": self.people,
            }
            await _answer(send, 200, json.dumps(seen))
            return
        body = await _read(receive)
        self.requests += 1
        self.arrivals.append(time.time())
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        await self._reply(json.loads(body), hashlib.sha256(body).hexdigest(), send)

    async def _reply(self, request: dict[str, Any], name: str, send: Send) -> None:
        self.tries[name] += 1
        fault = self._fault(name, self.tries[name])
        self.faults[fault or "none"] += 1
        text, finish = self._text(request, name)
        if request.get("logprobs") and self.logprobs == "refused":
            await _answer(send, 400, '{"error": {"message": "logprobs is not supported with this model"}}')
        elif fault is None:
            tells = is_rating(request) and request.get("logprobs") and self.logprobs == "told"
            told = places(text) if tells else None
            await _answer(send, 200, completion(text, request, finish=finish, logprobs=told))
        else:
            await self._fail(fault, text, request, send)

    def _text(self, request: dict[str, Any], name: str) -> tuple[str, str]:
        """Return what is said, and why it ends."""
        if people.is_wanted(request):
            fault = people.fault_of(name, self.person_fault_share)
            self.people[fault or "none"] += 1
            return people.person(name, request, fault), "length" if fault == "cut_off" else "stop"
        return (str(1 + _draw(name, "rating") % 10) if is_rating(request) else said(name)), "stop"

    def _fault(self, name: str, attempt: int) -> str | None:
        for fault in (*PASSING, *LASTING):
            again = attempt if fault in PASSING else 0
            if _draw(name, fault, again) % 10_000 < self.fault_share * 10_000:
                return fault
        return None

    async def _fail(self, fault: str, text: str, request: dict[str, Any], send: Send) -> None:
        if fault == "timeout":
            await asyncio.sleep(self.hang_s)
        if fault == "429":
            await _answer(send, 429, '{"error": {"message": "slow down"}}', {"retry-after": "0.2"})
        elif fault == "500":
            await _answer(send, 500, '{"error": {"message": "overloaded"}}')
        elif fault == "reset":
            await _cut(send)
        elif fault == "refusal":
            await _answer(send, 200, completion(None, request, refusal="I can't help with that."))
        elif fault == "garbled":
            await _answer(send, 200, completion(text, request)[:-25])
        else:
            await _answer(send, 200, completion(_spoilt(fault, text), request))


def is_rating(request: dict[str, Any]) -> bool:
    """Tell whether a request asks for a number."""
    return "1 to 10" in request["messages"][-1]["content"]


def said(name: str) -> str:
    """Return a user's turn."""
    words = [
        _WORDS[_draw(name, "word", place) % len(_WORDS)] for place in range(8 + _draw(name, "length") % 12)
    ]
    return f"I think {' '.join(words)}."


def places(rating: str) -> list[dict[str, Any]]:
    """Return a rating's one token as OpenAI tells it: it has half of the probability, its neighbours on the scale share the rest."""
    near = [str(number) for number in (int(rating) - 1, int(rating) + 1) if 1 <= number <= 10]
    shares = {rating: 0.5, **{number: 0.5 / len(near) for number in near}}
    told = [{"token": token, "logprob": math.log(share), "bytes": None} for token, share in shares.items()]
    return [told[0] | {"top_logprobs": told}]


def completion(
    content: str | None,
    request: dict[str, Any],
    refusal: str | None = None,
    finish: str = "stop",
    logprobs: list[dict[str, Any]] | None = None,
) -> str:
    """Return a chat completion as OpenAI words it."""
    asked = sum(len(message["content"]) for message in request["messages"]) // 4
    answered = len(content or "") // 4 + 1
    message = {"role": "assistant", "content": content, "refusal": refusal}
    told = None if logprobs is None else {"content": logprobs, "refusal": None}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": request["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": told}],
            "usage": {
                "prompt_tokens": asked,
                "completion_tokens": answered,
                "total_tokens": asked + answered,
            },
        }
    )


def _spoilt(fault: str, text: str) -> str:
    return {
        "timeout": text,  # late, for whoever waited
        "empty": "",
        "controls": f"nul \x00 bell \x07 escape \x1b[31m {text}",
        "huge": "x" * 1_000_000,
        "no_number": "somewhere between good and bad",
    }[fault]


def _draw(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            return body


async def _answer(send: Send, status: int, body: str, headers: dict[str, str] | None = None) -> None:
    raw = body.encode()
    named = {"content-type": "application/json", "content-length": str(len(raw)), **(headers or {})}
    lines = [(name.encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": raw})


async def _cut(send: Send) -> None:
    """End the connection in the middle of an answer: the server closes what an application leaves unfinished."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5000")]})
    await send({"type": "http.response.body", "body": b'{"choices": [', "more_body": True})
