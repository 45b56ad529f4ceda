"""The policy for the harness: an OpenAI-compatible server on loopback, for as long as a shard of samples is measured.

The harness asks here and not at the policy's own server, so that a policy that runs in this process, or behind several servers, is measured
as any other; so that what is spent is counted against the run's budget; and so that seeds derive from names: (run seed, the chat, how often
it was asked before), never from the round or the time.

Whatever a request asks for that a policy is not asked for elsewhere is refused, never ignored. A reply that can't be had is answered with its cause,
for good: whoever serves the policy has been patient already.
"""

import hashlib
import json
from asyncio import Event
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.core.domain.chat import ChatReply, ChatRequest, Message, Role, Sampling, clean
from services.core.domain.errors import ProviderError
from services.core.domain.seeds import derive_seed
from services.evaluator.asking import Examination

_LARGEST_BODY_BYTES = 16 << 20


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Said(_Part):
    role: Role
    content: str


class _Chat(_Part):
    model: str
    messages: tuple[_Said, ...] = Field(min_length=1)
    max_tokens: int = Field(ge=1)
    temperature: float = Field(default=1.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)


class Gateway:
    """Answers for one policy."""

    def __init__(self, examination: Examination, may_begin: Callable[[], bool]):
        self._examination = examination
        self._may_begin = may_begin
        self._asked = Counter[str]()
        self.is_shut = Event()
        """Set at the first question that there was no budget for."""
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one chat."""
        if self.is_shut.is_set() or not self._may_begin():
            self.is_shut.set()
            return _refusal("the run's budget is used up", "budget")
        try:
            chat = _Chat.model_validate_json(await request.read())
            reply = await self._examination.model.chat(self._request(chat))
        except ValidationError as error:
            first = error.errors()[0]
            return _refusal(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", "unsupported")
        except ProviderError as error:
            return _refusal(str(error), error.cause)
        return web.json_response(_completion(chat, reply))

    def _request(self, chat: _Chat) -> ChatRequest:
        messages = tuple(Message(said.role, said.content) for said in chat.messages)
        sampling = Sampling(chat.temperature, chat.max_tokens, self._seed(chat), top_p=chat.top_p)
        return ChatRequest(self._examination.policy, messages, sampling)

    def _seed(self, chat: _Chat) -> int:
        told = json.dumps(chat.model_dump(exclude={"model"}), sort_keys=True)
        name = hashlib.sha256(told.encode()).hexdigest()
        self._asked[name] += 1
        return derive_seed(self._examination.run_seed, "evaluation", "harness", name, self._asked[name])


@asynccontextmanager
async def open_gateway(examination: Examination, may_begin: Callable[[], bool]) -> AsyncGenerator[Gateway]:
    """Serve the examined policy on a free port of loopback."""
    gateway = Gateway(examination, may_begin)
    app = web.Application(client_max_size=_LARGEST_BODY_BYTES)
    app.router.add_post("/v1/chat/completions", gateway.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield gateway
    finally:
        await runner.cleanup()


def _refusal(message: str, cause: str) -> web.Response:
    # Not by OpenAI's code for a chat that is too long: the harness would take the message for a reply, and score it.
    error = {"message": f"driftloop-cause: {cause}: {clean(message)}", "type": "policy"}
    return web.json_response({"error": error}, status=HTTPStatus.BAD_REQUEST)


def _completion(chat: _Chat, reply: ChatReply) -> dict[str, Any]:
    message = {"role": "assistant", "content": clean(reply.text)}
    used = (reply.prompt_tokens or 0, reply.completion_tokens or 0)
    return {
        "id": "chatcmpl",
        "object": "chat.completion",
        "created": 0,
        "model": chat.model,
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
        "usage": {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)},
    }
