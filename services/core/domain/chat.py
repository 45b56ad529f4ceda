"""A chat as data: messages, a request to continue them, the reply.

A reply that came back empty is still a reply, with its `finish_reason`.

`clean` is the one boundary where model text enters: what Postgres or a terminal can't take is mended there, once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]

# Postgres refuses NUL; C0/C1 controls (but tab and newline) could drive a reader's terminal; lone surrogates
# are not UTF-8.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def clean(text: str) -> str:
    """Return model text with NUL, control characters and lone surrogates replaced by U+FFFD."""
    return _UNFIT.sub("\ufffd", text)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a reply is drawn. Temperature 0 is greedy; the same seed gives the same draw where a model allows."""

    temperature: float
    max_tokens: int
    seed: int
    top_p: float = 1.0


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat to be continued by `model` (a serving name: a base, or a published policy)."""

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling
    answer_schema: Mapping[str, Any] | None = None
    """JSON Schema that the reply has to fit, where the server can hold a model to one."""
    top_logprobs: int = 0
    """How many of the likeliest tokens at each place of the reply to tell, with their log-probabilities."""


@dataclass(frozen=True, slots=True)
class TokenChoice:
    """One place of a reply: the token that was drawn there, and what might have been."""

    drawn: str
    logprobs: Mapping[str, float]
    """Natural log-probability by token, the drawn one among them."""


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What came back. `token_ids` and counts are None where a provider does not tell; so are unknown prices."""

    text: str
    finish_reason: str
    latency_s: float
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    token_ids: tuple[int, ...] | None = None
    cost_usd: float | None = None
    input_usd_per_million: float | None = None
    """What a million tokens of prompts cost when it was asked."""
    output_usd_per_million: float | None = None
    """What a million tokens of replies cost then."""
    reasoning: str | None = None
    """What a reasoning model thought before its answer, where its server keeps that apart."""
    model: str | None = None
    """Who answered, as the server names it: a hosted name may stand for another version next month."""
    choices: tuple[TokenChoice, ...] | None = None
    """Place by place, if log-probabilities were asked for and the model tells them."""
