"""A stand-in: answers every chat at once with words of an assumed length, and counts what was asked.

With stand-ins in the place of all models a run's own code can be gone through, and what it would ask is known exactly. So nothing
else has to know how many calls a conversation or a benchmark's item makes.
"""

import json
import math
from typing import Final

from services.core.domain.chat import ChatReply, ChatRequest, TokenChoice
from services.core.domain.estimate import CHARACTERS_A_TOKEN, Calls, reply_tokens, tokens_of

RATING: Final = "7"
"""Closes what a stand-in for a user says, so that it is a turn and a rating."""
RULING: Final = "Answer: A\nNo"
"""Closes what a stand-in for a judge says, so that it can be read whatever was asked."""
_WORD: Final = "so "


class StandIn:
    """Plays one model: replies of `kind` (see `reply_tokens`) that end in `closing`."""

    def __init__(self, kind: str, closing: str = "") -> None:
        self._kind = kind
        self._closing = closing
        self._asked: list[tuple[int, int, int]] = []

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Answer; never fails."""
        most = request.sampling.max_tokens
        asked = tokens_of(sum(len(said.content) for said in request.messages))
        written = reply_tokens(self._kind, most)
        self._asked.append((asked, written, most))
        return ChatReply(
            text=self._text(written) if request.answer_schema is None else _fitting(request),
            finish_reason="stop",
            latency_s=0.0,
            prompt_tokens=asked,
            completion_tokens=written,
            choices=(TokenChoice(RATING, {RATING: 0.0}),) if request.top_logprobs else None,
        )

    def asked(self, part: str, role: str, model: str) -> Calls:
        """Return what was asked so far, as calls of a role to a model."""
        prompts, written, most = (sum(one[column] for one in self._asked) for column in range(3))
        return Calls(part, role, model, len(self._asked), prompts, written, most)

    def _text(self, tokens: int) -> str:
        # Two paragraphs, so that a reply that is to hold reasoning and an answer has both.
        half = _WORD * math.ceil(tokens * CHARACTERS_A_TOKEN / (2 * len(_WORD)))
        return f"{half}\n\n{half}{self._closing}"


def _fitting(request: ChatRequest) -> str:
    fields = (request.answer_schema or {}).get("properties", {})
    return json.dumps(dict.fromkeys(fields, 1))
