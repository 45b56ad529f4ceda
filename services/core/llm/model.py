"""How everything here talks to a model: one protocol.

A `ChatModel` is anything that answers a chat: the policy, a simulated user, a judge; a vLLM server on the wire, a
hosted model, or the pocket world's rules. Callers see only this protocol, so a run never knows which of them it
uses.
"""

from typing import Final, Protocol

from services.core.domain.chat import ChatReply, ChatRequest

NO_LOGPROBS: Final = "no_logprobs"
"""The cause of a call that asked for log-probabilities and got none."""


class ChatModel(Protocol):
    """Something that answers chats, many at a time."""

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Answer one chat. Raises `ProviderError` if no answer could be had."""
        ...
