"""Several servers of one base model, as one: they share the load, and every adapter is on each of them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from services.core.domain.chat import ChatReply, ChatRequest
from services.core.llm.directory import ServedPolicies
from services.core.llm.server import Probe


class Fleet:
    """Servers under one name. A chat goes to the one with the least in flight from this process."""

    def __init__(self, servers: Sequence[ServedPolicies]):
        self.servers = tuple(servers)
        self._in_flight = [0] * len(self.servers)

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Answer one chat. Raises `ProviderError`."""
        place = min(range(len(self.servers)), key=self._in_flight.__getitem__)
        self._in_flight[place] += 1
        try:
            return await self.servers[place].chat(request)
        finally:
            self._in_flight[place] -= 1

    async def load(self, name: str, adapter: Path) -> None:
        """Serve the adapter folder on every server. Raises `AdapterError`."""
        await asyncio.gather(*(server.load(name, adapter) for server in self.servers))

    async def unload(self, name: str) -> None:
        """Stop serving `name` on every server. Raises `AdapterError` if one did not serve it."""
        await asyncio.gather(*(server.unload(name) for server in self.servers))

    async def served(self) -> frozenset[str]:
        """Return the names that answer on every server."""
        first, *others = await asyncio.gather(*(server.served() for server in self.servers))
        return first.intersection(*others)

    async def probe(self, name: str) -> Probe:
        """Continue a fixed chat greedily on every server; return what the first one says. Raises `AdapterError`."""
        return (await asyncio.gather(*(server.probe(name) for server in self.servers)))[0]
