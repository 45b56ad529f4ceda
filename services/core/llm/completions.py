"""Chat completions on the OpenAI wire: what is sent, and what came back read as a reply, whoever the server is."""

import re
import time
from typing import Any

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from services.core.domain.chat import ChatReply, ChatRequest, TokenChoice, clean
from services.core.domain.endpoint import Prices
from services.core.domain.errors import ProviderError
from services.core.llm.model import NO_LOGPROBS
from services.core.llm.wire import Answer

_TOO_LONG = re.compile(r"context[ _]length|maximum model length")
_LONGEST_NAME = 200
UNPRICED = Prices()
LONGEST_REPLY_CHARACTERS = 200_000
"""A reply that is longer than this is no reply: a server that does not heed `max_tokens`, or something that is no model."""


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    """Newer vLLM's word for it."""


class _Logprob(BaseModel):
    token: str = ""
    logprob: FiniteFloat


class _Place(_Logprob):
    top_logprobs: tuple[_Logprob, ...] = ()


class _Logprobs(BaseModel):
    content: tuple[_Place, ...] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    token_ids: tuple[int, ...] | None = None
    logprobs: _Logprobs | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None


class Completion(BaseModel):
    """A server's answer, as far as anything here reads it."""

    choices: tuple[_Choice, ...] = Field(min_length=1)
    usage: _Usage = _Usage()
    model: str | None = None


def body_of(request: ChatRequest, model: str) -> dict[str, Any]:
    """Return a request as every server takes it; `model` is the server's own name for it."""
    how = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": said.role, "content": said.content} for said in request.messages],
        "temperature": how.temperature,
        "top_p": how.top_p,
        "max_tokens": how.max_tokens,
        "seed": how.seed,
    }
    if request.top_logprobs:
        body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    if request.answer_schema is not None:
        held_to = {"name": "answer", "strict": True, "schema": dict(request.answer_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": held_to}
    return body


def read_completion(url: str, answer: Answer) -> Completion:
    """Read a server's answer. Raises `ProviderError` with cause `garbled` for what is no chat completion."""
    try:
        return Completion.model_validate_json(answer.body)
    except ValidationError as error:
        raise ProviderError(f"{url}: this is no chat completion: {answer.complaint}", "garbled") from error


def cause_of(complaint: str, request: ChatRequest) -> str:
    """Return the cause of a refusal by a server (a 4xx), by what it says."""
    if request.top_logprobs and "logprobs" in complaint:
        return NO_LOGPROBS
    return "context_length" if _TOO_LONG.search(complaint.lower()) else "refused"


def reply_of(
    completion: Completion, started: float, cost_usd: float | None = None, prices: Prices = UNPRICED
) -> ChatReply:
    """Return the reply of a completion that was asked for at `started` (`time.perf_counter`), with the prices in force.

    Raises `ProviderError`: `refused` if the provider itself withheld it, `oversized` if it is no reply.
    """
    choice, usage = completion.choices[0], completion.usage
    said, finish = choice.message, choice.finish_reason or "unknown"
    if said.refusal or finish == "content_filter":
        raise ProviderError(
            f"the provider withheld the reply: {clean(said.refusal or finish)[:200]}", "refused"
        )
    # Whoever asked cleans the text, as every model's. White space around a reply depends on the server.
    text = (said.content or "").strip()
    if len(text) > LONGEST_REPLY_CHARACTERS:
        raise ProviderError(f"a reply of {len(text):,} characters is no reply", "oversized")
    reasoning = said.reasoning_content or said.reasoning
    return ChatReply(
        text=text,
        finish_reason=finish,
        latency_s=time.perf_counter() - started,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        token_ids=choice.token_ids,
        cost_usd=usage.cost if cost_usd is None else cost_usd,
        input_usd_per_million=prices.input_usd_per_million,
        output_usd_per_million=prices.output_usd_per_million,
        reasoning=None if reasoning is None else clean(reasoning),
        model=None if completion.model is None else clean(completion.model)[:_LONGEST_NAME],
        choices=_choices(choice.logprobs),
    )


def _choices(told: _Logprobs | None) -> tuple[TokenChoice, ...] | None:
    # A server without log-probabilities leaves them out, or sends an empty list.
    if told is None or not told.content:
        return None
    return tuple(
        TokenChoice(place.token, {one.token: one.logprob for one in (*place.top_logprobs, place)})
        for place in told.content
    )
