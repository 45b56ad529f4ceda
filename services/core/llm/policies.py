"""A policy's server on the OpenAI wire: vLLM, or `driftloop pocket serve`.

`WirePolicies` is the same thing to its callers as a server in their own process, and is held to the same contract test. Adapters
are loaded from a path that the server must see too. Which weights a name means is asked of the server, whose list of models
says where each came from. A server that was restarted has forgotten its adapters; those that were loaded through here are
loaded again when they are next asked for.
"""

import time
from http import HTTPStatus
from pathlib import Path

from pydantic import BaseModel, ValidationError

from services.core.domain.chat import ChatReply, ChatRequest, Sampling
from services.core.domain.errors import AdapterError, ProviderError
from services.core.llm.completions import Completion, body_of, cause_of, read_completion, reply_of
from services.core.llm.server import PROBE_CHAT, PROBE_TOKENS, Probe
from services.core.llm.wire import Answer, Patience, Wire

UNKNOWN_MODEL = "unknown_model"


class _Card(BaseModel):
    id: str
    root: str | None = None


class _Models(BaseModel):
    data: tuple[_Card, ...]


class WirePolicies:
    """The policies of one base model behind a URL. One event loop at a time; close it before that ends."""

    def __init__(self, url: str, patience: Patience | None = None):
        self._wire = Wire(url, patience or Patience())
        self._folders: dict[str, Path] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Answer one chat. Raises `ProviderError` by cause."""
        started = time.perf_counter()
        return reply_of(await self._remembering(request), started)

    async def load(self, name: str, adapter: Path) -> None:
        """Serve the adapter folder under `name`; a second time from the same folder does nothing."""
        folder = adapter.resolve()
        if not await self._is_served(name, folder):
            answer = await self._change("load", name, {"lora_name": name, "lora_path": str(folder)})
            # Another task or process may have been quicker.
            if not answer.is_ok and not await self._is_served(name, folder):
                raise AdapterError(f"{name}: {self._wire.url} does not load {folder}: {answer.complaint}")
        self._folders[name] = folder

    async def unload(self, name: str) -> None:
        """Stop serving `name`."""
        answer = await self._change("unload", name, {"lora_name": name})
        if not answer.is_ok:
            raise AdapterError(f"{name}: {self._wire.url} does not unload it: {answer.complaint}")
        self._folders.pop(name, None)

    async def sleep(self) -> None:
        """Give the server's GPU memory back (vLLM's sleep mode, level 1: weights move to main memory)."""
        await self._must("/sleep?level=1")

    async def wake(self) -> None:
        """Be ready to answer again; an awake server stays so."""
        answer = await self._wire.get("/is_sleeping")
        if not answer.is_ok or '"is_sleeping":false' not in answer.body.replace(" ", ""):
            await self._must("/wake_up")

    async def _must(self, path: str) -> None:
        try:
            answer = await self._wire.post(path, {})
        except ProviderError as error:
            raise AdapterError(str(error)) from error
        if not answer.is_ok:
            raise AdapterError(
                f"{self._wire.url}{path}: {answer.complaint}; colocation needs vLLM with --enable-sleep-mode "
                "and VLLM_SERVER_DEV_MODE=1"
            )

    async def served(self) -> frozenset[str]:
        """Return the names that answer now."""
        return frozenset(await self._roots("its models"))

    async def probe(self, name: str) -> Probe:
        """Continue a fixed chat greedily."""
        sampling = Sampling(temperature=0.0, max_tokens=PROBE_TOKENS, seed=0)
        try:
            # A server that was restarted since it loaded the name is given it again, as for a chat.
            completion = await self._remembering(ChatRequest(name, PROBE_CHAT, sampling), logprobs=True)
        except ProviderError as error:
            raise AdapterError(f"{name}: {error}") from error
        choice = completion.choices[0]
        if choice.logprobs is None or choice.logprobs.content is None:
            raise AdapterError(f"{name}: {self._wire.url} tells no log-probabilities, so it can't be probed")
        return Probe(
            (choice.message.content or "").strip(), tuple(one.logprob for one in choice.logprobs.content)
        )

    async def _remembering(self, request: ChatRequest, **more: object) -> Completion:
        try:
            return await self._complete(request, **more)
        except ProviderError as error:
            if error.cause != UNKNOWN_MODEL or request.model not in self._folders:
                raise
        try:
            await self.load(request.model, self._folders[request.model])
        except AdapterError as error:
            raise ProviderError(str(error), UNKNOWN_MODEL) from error
        return await self._complete(request, **more)

    async def _complete(self, request: ChatRequest, **more: object) -> Completion:
        body = body_of(request, request.model) | {"return_token_ids": True} | more
        answer = await self._wire.post("/v1/chat/completions", body)
        if not answer.is_ok:
            cause = _cause(answer, request)
            raise ProviderError(f"{self._wire.url}: {answer.status}: {answer.complaint}", cause)
        return read_completion(self._wire.url, answer)

    async def _change(self, verb: str, name: str, body: dict[str, str]) -> Answer:
        try:
            return await self._wire.post(f"/v1/{verb}_lora_adapter", body)
        except ProviderError as error:
            raise AdapterError(f"{name}: {error}") from error

    async def _is_served(self, name: str, folder: Path) -> bool:
        roots = await self._roots(name)
        if name in roots and roots[name] != str(folder):
            raise AdapterError(
                f"{name}: this name already serves other weights ({roots[name]}); publish under a new name"
            )
        return name in roots

    async def _roots(self, wanted: str) -> dict[str, str | None]:
        """Return where the weights of every served name came from."""
        try:
            answer = await self._wire.get("/v1/models")
        except ProviderError as error:
            raise AdapterError(f"{wanted}: {error}") from error
        try:
            return {card.id: card.root for card in _Models.model_validate_json(answer.body).data}
        except ValidationError as error:
            complaint = f"{self._wire.url} does not list its models: {answer.complaint}"
            raise AdapterError(f"{wanted}: {complaint}") from error


def _cause(answer: Answer, request: ChatRequest) -> str:
    is_unknown = answer.status == HTTPStatus.NOT_FOUND and request.model in answer.complaint
    return UNKNOWN_MODEL if is_unknown else cause_of(answer.body, request)
