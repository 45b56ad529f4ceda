"""The pocket policy on the OpenAI wire, with vLLM's routes for adapters: what `driftloop pocket serve` serves.

Same weights, same seed, same words as in process, bit for bit. What the policy can't do is refused, never ignored. Adapters are
loaded only from below one folder. There are no tokens: like a bare vLLM, it belongs on a private network.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from services.core.domain.chat import ChatRequest, Message, Role, Sampling
from services.core.domain.errors import AdapterError, LoopError, ProviderError
from services.core.domain.seeds import derive_seed
from services.pocket.policy.server import BASE_NAME, Completion, PocketServer
from services.pocket.policy.tokenizer import MAX_LENGTH

_MAX_BODY_BYTES = 1 << 20
_STATUS = {"unknown_model": HTTPStatus.NOT_FOUND, "context_length": HTTPStatus.BAD_REQUEST}
_CODE = {"unknown_model": "model_not_found", "context_length": "context_length_exceeded"}
"""OpenAI's words for causes."""


_Stop = Annotated[str, Field(min_length=1)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ChatMessage(_Body):
    """One turn of a chat."""

    role: Role
    content: str


class ChatBody(_Body):
    """A chat to be continued."""

    model: str
    messages: tuple[ChatMessage, ...] = Field(min_length=1)
    temperature: float = Field(default=1.0, ge=0, le=100)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int = Field(default=MAX_LENGTH, ge=1)
    """As many as there is room for, at most."""
    seed: int | None = None
    """None draws one."""
    n: int = Field(default=1, ge=1, le=128)
    """The first of several has the seed, the others have seeds that follow from it."""
    stop: _Stop | tuple[_Stop, ...] | None = None
    logprobs: bool = False
    return_token_ids: bool = False
    stream: Literal[False] = False
    user: str | None = None
    """Heard, and of no use."""

    def requests(self) -> list[ChatRequest]:
        """Return what to ask for, a request a choice."""
        first = secrets.randbits(63) if self.seed is None else self.seed
        messages = tuple(Message(said.role, said.content) for said in self.messages)
        seeds = [first, *(derive_seed("choice", first, number) for number in range(1, self.n))]
        return [
            ChatRequest(
                self.model, messages, Sampling(self.temperature, self.max_tokens, seed, top_p=self.top_p)
            )
            for seed in seeds
        ]

    def stops(self) -> tuple[str, ...]:
        """Return the texts before which a reply ends."""
        return (self.stop,) if isinstance(self.stop, str) else self.stop or ()


class Load(_Body):
    """An adapter to serve."""

    lora_name: str = Field(min_length=1)
    lora_path: Path


class Unload(_Body):
    """An adapter to serve no more."""

    lora_name: str


class _Spoken(NamedTuple):
    """A choice as it is answered: cut at a stop, if one came."""

    text: str
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: str


class Pocket(NamedTuple):
    """What the routes work on."""

    server: PocketServer
    adapters: Path
    """The folder below which adapters may be loaded."""


def _pocket(request: Request) -> Pocket:
    pocket: Pocket = request.app.state.pocket
    return pocket


Served = Annotated[Pocket, Depends(_pocket)]


def create_app(server: PocketServer, adapters: Path) -> FastAPI:
    """Return the ASGI application."""
    app = FastAPI(title="pocket policy", openapi_url=None, max_body_size=_MAX_BODY_BYTES)
    app.state.pocket = Pocket(server, adapters.resolve())
    app.add_api_route("/health", _health)
    app.add_api_route("/v1/models", _models)
    app.add_api_route("/v1/chat/completions", _chat, methods=["POST"])
    app.add_api_route("/v1/load_lora_adapter", _load, methods=["POST"])
    app.add_api_route("/v1/unload_lora_adapter", _unload, methods=["POST"])
    app.add_exception_handler(LoopError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    return app


async def _health() -> Response:
    return Response()


async def _models(pocket: Served) -> dict[str, Any]:
    cards = [
        {"id": name, "object": "model", "owned_by": "driftloop", "root": str(root)}
        | ({"max_model_len": MAX_LENGTH} if name == BASE_NAME else {"parent": BASE_NAME})
        for name, root in pocket.server.roots().items()
    ]
    return {"object": "list", "data": cards}


async def _chat(pocket: Served, body: ChatBody) -> dict[str, Any]:
    server = pocket.server
    drawn = await asyncio.gather(*(server.complete(request) for request in body.requests()))
    spoken = [_spoken(server, one, body.stops()) for one in drawn]
    read, said = drawn[0].prompt_tokens, sum(len(one.tokens) for one in spoken)
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.model,
        "choices": [_choice(server, number, one, body) for number, one in enumerate(spoken)],
        "usage": {
            "prompt_tokens": read,
            "completion_tokens": said,
            "total_tokens": read + said,
            "cost": 0.0,
        },
    }


async def _load(pocket: Served, body: Load) -> Response:
    folder = body.lora_path.resolve()
    if not folder.is_relative_to(pocket.adapters):
        raise AdapterError(
            f"lora_path: {folder} is not below {pocket.adapters}, where adapters are loaded from"
        )
    await pocket.server.load(body.lora_name, folder)
    return PlainTextResponse(f"Success: {body.lora_name} is served.")


async def _unload(pocket: Served, body: Unload) -> Response:
    await pocket.server.unload(body.lora_name)
    return PlainTextResponse(f"Success: {body.lora_name} is served no more.")


def _spoken(server: PocketServer, drawn: Completion, stops: Sequence[str]) -> _Spoken:
    text = server.text(drawn.said)
    places = [place for place in map(text.find, stops) if place >= 0]
    if not places:
        return _Spoken(text, drawn.tokens, drawn.logprobs, "stop" if drawn.has_ended else "length")
    prefixes = (server.text(drawn.said[:count]) for count in range(1, len(drawn.said) + 1))
    count = next(n for n, said in enumerate(prefixes, 1) if any(stop in said for stop in stops))
    return _Spoken(text[: min(places)], drawn.tokens[:count], drawn.logprobs[:count], "stop")


def _choice(server: PocketServer, number: int, spoken: _Spoken, body: ChatBody) -> dict[str, Any]:
    choice: dict[str, Any] = {
        "index": number,
        "message": {"role": "assistant", "content": spoken.text},
        "finish_reason": spoken.finish_reason,
        "logprobs": None,
    }
    if body.logprobs:
        pairs = zip(spoken.tokens, spoken.logprobs, strict=True)
        choice["logprobs"] = {"content": [_logprob(server, token, logprob) for token, logprob in pairs]}
    if body.return_token_ids:
        choice["token_ids"] = list(spoken.tokens)
    return choice


def _logprob(server: PocketServer, token: int, logprob: float) -> dict[str, Any]:
    text = server.text((token,))
    return {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": []}


async def _failed(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, ProviderError):
        status = _STATUS.get(error.cause, HTTPStatus.INTERNAL_SERVER_ERROR)
        return _error(status, str(error), _CODE.get(error.cause))
    return _error(HTTPStatus.BAD_REQUEST, str(error))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [(".".join(str(part) for part in one["loc"][1:]), one["msg"]) for one in error.errors()]
    return _error(HTTPStatus.BAD_REQUEST, "; ".join(f"{field}: {says}" for field, says in found))


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _error(HTTPStatus(error.status_code), str(error.detail))


def _error(status: HTTPStatus, message: str, code: str | None = None) -> JSONResponse:
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return JSONResponse({"error": {"message": message, "type": kind, "param": None, "code": code}}, status)
