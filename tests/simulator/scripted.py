"""Small real models for the simulator's tests."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from services.core.domain.chat import ChatReply, ChatRequest
from services.core.domain.errors import ProviderError
from services.core.domain.spec import ConversationSpec
from services.simulator.conversation import Stage
from services.simulator.scenarios import load_environment

ENVIRONMENT = load_environment(Path(__file__).parent.parent / "fixtures" / "environment")


def reply(text: str) -> ChatReply:
    return ChatReply(text, "stop", latency_s=0.0, prompt_tokens=7, completion_tokens=3)


class Scripted:
    """Answers by a function of the request, after a seeded number of turns of the event loop."""

    def __init__(self, answer: Callable[[ChatRequest], str]):
        self.answer = answer
        self.requests: list[ChatRequest] = []
        self.now = 0
        self.most_at_once = 0

    async def chat(self, request: ChatRequest) -> ChatReply:
        self.requests.append(request)
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        for _ in range(request.sampling.seed % 7):
            await asyncio.sleep(0)
        self.now -= 1
        return reply(self.answer(request))


def seeded(request: ChatRequest) -> str:
    """Say something that tells the seed and the length of the talk."""
    return f"draw {request.sampling.seed % 1000} after {len(request.messages)}"


def is_rating(request: ChatRequest) -> bool:
    return request.messages[-1].content.startswith("Rate reply")


def seeded_user(request: ChatRequest) -> str:
    return str(1 + request.sampling.seed % 10) if is_rating(request) else seeded(request)


def fails(request: ChatRequest) -> str:
    raise ProviderError("the server is gone", cause="timeout")


def stage(policy: Scripted, user: Scripted, **rules: object) -> Stage:
    return Stage(
        environment=ENVIRONMENT,
        conversation=ConversationSpec.model_validate(rules),
        policy_name="run-a-r0",
        policy=policy,
        user=user,
        seed_parts=(1, 2),
    )
