# pyright: basic
# torch is untyped in parts.
"""The pocket policy as a server in this process: a `ChatModel` and a `PolicyServer` under the base name `pocket`.

Requests that wait at the same time are answered in one wave, each as if it were alone (`decode.py`). A wave runs in
a worker thread, so the event loop goes on. Adapters are merged and served under names that never change meaning.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from services.core.domain.chat import ChatReply, ChatRequest, Sampling
from services.core.domain.errors import AdapterError, ProviderError
from services.core.llm.server import PROBE_CHAT, PROBE_TOKENS, Probe
from services.pocket.policy.adapters import merge_adapter
from services.pocket.policy.decode import Decoder, Draw, Drawn
from services.pocket.policy.store import WEIGHTS_FOLDER, read_policy
from services.pocket.policy.tokenizer import END, render, token_id

BASE_NAME = "pocket"
_WAVE_SIZE = 128


@dataclass(frozen=True, slots=True)
class Completion:
    """What was drawn, as tokens; the end token is the last of them if the reply ended by itself."""

    prompt_tokens: int
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Of every token, at temperature 1."""
    has_ended: bool

    @property
    def said(self) -> tuple[int, ...]:
        """The tokens that are text."""
        return self.tokens[:-1] if self.has_ended else self.tokens


@dataclass(frozen=True)
class _Served:
    decoder: Decoder
    path: Path | None


@dataclass(frozen=True, eq=False)
class _Waiting:
    decoder: Decoder
    draw: Draw
    reply: "asyncio.Future[Drawn]"


class PocketServer:
    """Serves the pocket policy and its adapters. Safe for many tasks of one event loop; one loop at a time."""

    def __init__(self, weights: Path = WEIGHTS_FOLDER):
        # One thread: the sums of a matrix product then have one order, and processes share cores without strife.
        torch.set_num_threads(1)
        self._weights = weights.resolve()
        self._policy = read_policy(weights)
        self._end = token_id(self._policy.tokenizer, END)
        self._served = {BASE_NAME: _Served(self._decoder(self._policy.weights), None)}
        self._last = self._served[BASE_NAME].decoder
        self._waiting: list[_Waiting] = []
        self._pump: asyncio.Task[None] | None = None

    def _decoder(self, weights: dict[str, torch.Tensor]) -> Decoder:
        return Decoder(self._policy.shape, weights, self._end)

    async def load(self, name: str, adapter: Path) -> None:
        """Serve the PEFT LoRA folder under `name`; a second time from the same path does nothing."""
        path = adapter.resolve()
        if name not in self._served:
            merged = await asyncio.to_thread(merge_adapter, self._policy.weights, path)
            # Another task may have loaded it meanwhile; the first stays.
            self._served.setdefault(name, _Served(self._decoder(merged), path))
        if self._served[name].path != path:
            raise AdapterError(f"{name}: this name already serves other weights; publish under a new name")

    async def unload(self, name: str) -> None:
        """Stop serving `name`; requests in flight are still answered."""
        if name == BASE_NAME:
            raise AdapterError(f"{name}: the base policy can't be unloaded")
        if self._served.pop(name, None) is None:
            raise AdapterError(f"{name}: no such adapter is served")

    async def served(self) -> frozenset[str]:
        """Return the names that answer now."""
        return frozenset(self._served)

    def roots(self) -> dict[str, Path]:
        """Return the folder of every name that answers now."""
        return {name: served.path or self._weights for name, served in self._served.items()}

    async def probe(self, name: str) -> Probe:
        """Continue a fixed chat greedily."""
        if name not in self._served:
            raise AdapterError(f"{name}: no such adapter is served")
        sampling = Sampling(temperature=0.0, max_tokens=PROBE_TOKENS, seed=0)
        drawn = await self.complete(ChatRequest(name, PROBE_CHAT, sampling))
        return Probe(self.text(drawn.said), drawn.logprobs)

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Answer one chat; raises `ProviderError` with cause `unknown_model` or `context_length`."""
        started = time.perf_counter()
        drawn = await self.complete(request)
        return ChatReply(
            text=self.text(drawn.said),
            finish_reason="stop" if drawn.has_ended else "length",
            latency_s=time.perf_counter() - started,
            prompt_tokens=drawn.prompt_tokens,
            completion_tokens=len(drawn.tokens),
            token_ids=drawn.tokens,
            cost_usd=0.0,
            model=request.model,
        )

    async def complete(self, request: ChatRequest) -> Completion:
        """Answer one chat in tokens; raises what `chat` raises."""
        served = self._served.get(request.model)
        if served is None:
            raise ProviderError(f"{request.model}: the pocket server serves no such model", "unknown_model")
        draw = self._draw(request)
        drawn = await self._answer(served.decoder, draw)
        tokens = (*drawn.tokens, self._end) if drawn.has_ended else tuple(drawn.tokens)
        return Completion(len(draw.prompt), tokens, tuple(drawn.logprobs), drawn.has_ended)

    def text(self, tokens: Sequence[int]) -> str:
        """Return what tokens say."""
        return self._policy.tokenizer.decode(list(tokens))

    def _draw(self, request: ChatRequest) -> Draw:
        how = request.sampling
        said = render(request.messages)
        prompt = tuple(self._policy.tokenizer.encode(said, add_special_tokens=False).ids)
        room = self._policy.shape.max_position_embeddings - len(prompt)
        if room < 1:
            raise ProviderError(
                f"a chat of {len(prompt)} tokens leaves the pocket policy no room in its context length",
                "context_length",
            )
        return Draw(prompt, how.temperature, how.top_p, min(how.max_tokens, room), how.seed)

    async def _answer(self, decoder: Decoder, draw: Draw) -> Drawn:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(decoder, draw, loop.create_future())
        self._waiting.append(waiting)
        if self._pump is None or self._pump.done():
            self._pump = loop.create_task(self._run_waves())
        return await waiting.reply

    async def _run_waves(self) -> None:
        while self._waiting:
            await self._gather()
            decoder = self._waiting[0].decoder
            if decoder is not self._last:
                # What is kept of prompts is large; only the policy in use keeps it.
                self._last.forget()
                self._last = decoder
            wave = [one for one in self._waiting if one.decoder is decoder][:_WAVE_SIZE]
            taken = set(wave)
            self._waiting = [one for one in self._waiting if one not in taken]
            await self._run_wave(wave)

    async def _gather(self) -> None:
        # Let every task that is ready to ask do so, that one wave may hold them all.
        count = 0
        while count != len(self._waiting):
            count = len(self._waiting)
            for _ in range(4):
                await asyncio.sleep(0)

    async def _run_wave(self, wave: list[_Waiting]) -> None:
        wave = [one for one in wave if not one.reply.cancelled()]
        if not wave:
            return
        try:
            drawn = await asyncio.to_thread(wave[0].decoder.draw, [one.draw for one in wave])
        except Exception as error:
            failure = ProviderError(f"the pocket policy failed: {type(error).__name__}: {error}")
            for one in wave:
                if not one.reply.done():
                    one.reply.set_exception(failure)
            return
        for one, result in zip(wave, drawn, strict=True):
            if not one.reply.done():
                one.reply.set_result(result)
