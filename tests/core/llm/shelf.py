"""A policy server that keeps adapters on a shelf and notes what it is asked; its chats say who answered."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from services.core.domain.chat import ChatReply, ChatRequest
from services.core.domain.errors import AdapterError
from services.core.llm.server import Probe


@dataclass
class Shelf:
    """One server of the base `pocket`."""

    name: str = "shelf"
    adapters: dict[str, Path] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    open_gate: asyncio.Event | None = None
    """Chats wait for it, if there is one."""

    async def chat(self, request: ChatRequest) -> ChatReply:
        self.asked.append(request.model)
        if self.open_gate is not None:
            await self.open_gate.wait()
        return ChatReply(self.name, "stop", 0.0)

    async def load(self, name: str, adapter: Path) -> None:
        self.asked.append(f"load {name}")
        self.adapters[name] = adapter

    async def unload(self, name: str) -> None:
        self.asked.append(f"unload {name}")
        if self.adapters.pop(name, None) is None:
            raise AdapterError(f"{name}: no such adapter is served")

    async def served(self) -> frozenset[str]:
        return frozenset({"pocket", *self.adapters})

    async def probe(self, name: str) -> Probe:
        return Probe(name, (0.0,))

    async def sleep(self) -> None:
        self.asked.append("sleep")

    async def wake(self) -> None:
        self.asked.append("wake")

    async def close(self) -> None:
        """Nothing is open."""
