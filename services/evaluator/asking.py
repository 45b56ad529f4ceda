"""How the policy and the judge are asked: seeds by name, failures as causes, independent calls together.

Seeds depend on the run, the item, the elicitation and the repeat, never on the round or the policy: so two policies
answer the same item with the same draws, and a repeated evaluation repeats.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from services.core.domain.chat import ChatRequest, Message, Sampling, clean
from services.core.domain.errors import ProviderError
from services.core.domain.judging import Judge, Judgement
from services.core.domain.seeds import derive_seed, uniform
from services.core.domain.spec import EvaluationSpec
from services.core.domain.trajectory import Profile, Scenario, Trajectory, UserKind
from services.core.llm.model import ChatModel
from services.evaluator.items import EvaluationItem
from services.evaluator.records import Reply, Ruling

Answer = TypeVar("Answer")


class Converse(Protocol):
    """Holds one conversation of `policy` with a simulated user: the simulator's loop, wired by the app."""

    async def __call__(
        self, scenario: Scenario, profile: Profile, kind: UserKind, *, policy: str, seed: int
    ) -> Trajectory:
        """Return the conversation, failed or not; every draw in it derives from `seed`."""
        ...


@dataclass(frozen=True, slots=True)
class Examination:
    """Who is examined, by whom, and how."""

    policy: str
    """Serving name."""
    model: ChatModel
    judge: Judge
    converse: Converse
    spec: EvaluationSpec
    run_seed: int
    second: Judge | None = None
    """Who is asked the same as `judge`, where agreement is measured."""

    def of(self, item: EvaluationItem) -> "Examination":
        """Return how one item is examined: the second judge reads a share of the items only, the same for every policy."""
        is_read = uniform(self.run_seed, "second judge", item.key) < self.spec.judges.second_share
        return self if is_read or self.second is None else replace(self, second=None)

    async def rule(self, ask: Callable[[Judge], Awaitable[Judgement]]) -> Ruling:
        """Return the judge's ruling on what `ask` puts to it, with the second judge's beside it."""
        if self.second is None:
            return await ruling(ask(self.judge))
        first, second = await together(ruling(ask(self.judge)), ruling(ask(self.second)))
        return first.model_copy(update={"second": second})

    async def ask(
        self,
        item: EvaluationItem,
        elicitation: str,
        repeat: int,
        chat: tuple[Message, ...],
        temperature: float,
    ) -> Reply:
        """Return the policy's reply, or the cause of its lack."""
        seed = seed_of(self.run_seed, item, elicitation, repeat)
        sampling = Sampling(temperature, self.spec.most_tokens(item.benchmark), seed)
        try:
            reply = await self.model.chat(ChatRequest(self.policy, chat, sampling))
        except ProviderError as error:
            return Reply(text=None, cause=error.cause, seed=seed)
        return Reply(
            text=clean(reply.text),
            seed=seed,
            finish_reason=reply.finish_reason,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            cost_usd=reply.cost_usd,
            input_usd_per_million=reply.input_usd_per_million,
            output_usd_per_million=reply.output_usd_per_million,
        )


def seed_of(run_seed: int, item: EvaluationItem, elicitation: str, repeat: int) -> int:
    """Return the seed of one generation."""
    return derive_seed(run_seed, "evaluation", item.benchmark.value, item.key, elicitation, repeat)


async def ruling(judgement: Awaitable[Judgement]) -> Ruling:
    """Return the judge's raw text, or the cause of its lack."""
    try:
        said = await judgement
    except ProviderError as error:
        return Ruling(text=None, cause=error.cause)
    return Ruling(
        text=clean(said.text),
        model=said.model,
        prompt_tokens=said.prompt_tokens,
        completion_tokens=said.completion_tokens,
        cost_usd=said.cost_usd,
        input_usd_per_million=said.input_usd_per_million,
        output_usd_per_million=said.output_usd_per_million,
        latency_s=said.latency_s,
        attempts=said.attempts,
    )


async def together(*calls: Coroutine[Any, Any, Answer]) -> list[Answer]:
    """Run independent calls at once and return their answers in order; if one raises, end the others and raise it."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
