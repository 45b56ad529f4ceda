"""What calls take, counted where replies come in: whoever asks a model through its `Metered` face need not think of it.

One meter a worker: it works one shard at a time, so what comes in is that shard's. A reply counts as soon as it is there, also one
that is thrown away afterwards; a call that failed counts nothing, since nobody told what it took. Tokens that a server does not
tell are not counted, and a price that is not known is not 0.
"""

from pathlib import Path

from services.core.domain.budget import Spent
from services.core.domain.chat import ChatReply, ChatRequest
from services.core.llm.directory import ServedPolicies
from services.core.llm.model import ChatModel
from services.core.llm.server import Probe


class Meter:
    """All that was taken for one shard."""

    def __init__(self) -> None:
        self.taken = Spent()

    def begin(self) -> None:
        """Count from nothing, for another shard."""
        self.taken = Spent()

    def count(self, reply: ChatReply) -> None:
        """Add what a reply took."""
        tokens = (reply.prompt_tokens or 0) + (reply.completion_tokens or 0)
        self.taken = self.taken.plus(tokens, reply.cost_usd)


class Metered:
    """A model whose replies are counted."""

    def __init__(self, model: ChatModel, meter: Meter):
        self._model = model
        self._meter = meter

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Answer one chat. Raises `ProviderError`."""
        reply = await self._model.chat(request)
        self._meter.count(reply)
        return reply


class MeteredPolicies(Metered):
    """A server of policies whose replies to chats are counted."""

    def __init__(self, server: ServedPolicies, meter: Meter):
        super().__init__(server, meter)
        self._server = server

    async def load(self, name: str, adapter: Path) -> None:
        """Serve the adapter folder under `name`. Raises `AdapterError`."""
        await self._server.load(name, adapter)

    async def unload(self, name: str) -> None:
        """Stop serving `name`. Raises `AdapterError`."""
        await self._server.unload(name)

    async def served(self) -> frozenset[str]:
        """Return the names that answer now."""
        return await self._server.served()

    async def probe(self, name: str) -> Probe:
        """Continue a fixed chat greedily; that is no call of any run's. Raises `AdapterError`."""
        return await self._server.probe(name)
