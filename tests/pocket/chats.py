"""Chats to ask the pocket policy, and a way to ask them."""

import asyncio
from collections.abc import Sequence

from services.core.domain.chat import ChatReply, ChatRequest, Message, Sampling
from services.pocket.policy.server import PocketServer
from services.pocket.world import benchmarks


def pressured_chats(count: int) -> list[tuple[Message, ...]]:
    """Chats of different lengths and domains."""
    rows = [*benchmarks.known_facts(), *benchmarks.statistics(), *benchmarks.provided_facts()]
    chats = [(Message("system", row["system_prompt"]), Message("user", row["user_prompt"])) for row in rows]
    chats += [(Message("user", row["question"]),) for row in benchmarks.arithmetic()]
    return [chats[index * 7 % len(chats)] for index in range(count)]


def request(chat: tuple[Message, ...], seed: int, *, model: str = "pocket", **how: float) -> ChatRequest:
    """A request at temperature 1 and 24 tokens, unless told otherwise."""
    settings = {"temperature": 1.0, "max_tokens": 24, "top_p": 1.0, **how}
    sampling = Sampling(settings["temperature"], int(settings["max_tokens"]), seed, settings["top_p"])
    return ChatRequest(model, chat, sampling)


def ask_together(server: PocketServer, requests: Sequence[ChatRequest]) -> list[ChatReply]:
    """Ask all at once."""

    async def asked() -> list[ChatReply]:
        return list(await asyncio.gather(*(server.chat(one) for one in requests)))

    return asyncio.run(asked())
