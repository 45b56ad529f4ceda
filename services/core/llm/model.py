"""How everything here talks to a model: one protocol.

A `ChatModel` is anything that answers a chat: the policy, a simulated user, a judge; a vLLM server on the wire, a
hosted model, or the pocket world's rules. Callers see only this protocol, so a run never knows which of them it
uses.
"""

from typing import Protocol

from services.core.domain.chat import ChatReply, ChatRequest


class ChatModel(Protocol):
    """Something that answers chats, many at a time."""

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Answer one chat. Raises `ProviderError` if no answer could be had."""
        ...
