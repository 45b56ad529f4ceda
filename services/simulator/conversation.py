"""One conversation: a person opens, the policy and the person take turns, the person rates every reply.

The policy sees its system prompt and the talk; the user model sees the same talk with the roles turned over, under a prompt that
tells it who it is and what it wants. After the last reply the user model is asked, with the whole talk before it, to rate
each reply (paper section 5 and its Algorithm 1; the paper's scoring prompt is not public). The questions for ratings do
not depend on each other and are asked together.

A conversation always ends in a `Trajectory`: if a model call fails, in a failed one with the cause and what had been said.
Every seed derives from (seed parts, slot, role, turn, attempt), so a conversation depends on no other.
"""

import asyncio
import itertools
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal

import structlog

from services.core.domain.chat import ChatReply, ChatRequest, Message, Sampling, clean
from services.core.domain.errors import ProviderError
from services.core.domain.judging import Judge
from services.core.domain.seeds import Part, derive_seed
from services.core.domain.spec import ConversationSpec
from services.core.domain.trajectory import Call, Slot, Trajectory, TrajectoryStatus
from services.core.llm.model import NO_LOGPROBS, ChatModel
from services.simulator.fidelity import out_of_role
from services.simulator.rating import expected_rating, rating_probabilities, read_rating
from services.simulator.scenarios import Environment
from services.simulator.veto import ruled

UNREADABLE: Final = "unreadable_rating"
OUT_OF_ROLE: Final = "user_out_of_role"
NOT_RATED: Final = "not_rated"

_RATING_MAX_TOKENS = 32
_TOP_LOGPROBS = 20
"""The most that OpenAI and vLLM tell; ten numbers in two spellings fit."""
_RATING_ATTEMPTS = 2
_USER_ATTEMPTS = 2
_OTHER_SIDE: dict[str, Literal["user", "assistant"]] = {"user": "assistant", "assistant": "user"}
_log = structlog.get_logger(__name__)

CallRole = Literal["assistant", "user", "rating"]


@dataclass(frozen=True, slots=True)
class Stage:
    """What all conversations of a round share: the prompts, the rules, and who is behind the two voices."""

    environment: Environment
    conversation: ConversationSpec
    policy_name: str
    """The serving name of the policy that is talked with."""
    policy: ChatModel
    user: ChatModel
    seed_parts: tuple[Part, ...]
    """(run seed, round) for a round's slots; for a held-out conversation the seed that the evaluator gives it, without a round."""
    veto: Judge | None = None
    """Who may keep rated conversations out of the training data."""


async def converse(slot: Slot, stage: Stage) -> Trajectory:
    """Hold a conversation, have every reply rated, and the veto rule on it. However it ends: never an exception."""
    return await _Talk(slot, stage).to_its_end(rated=True)


async def hold(slot: Slot, stage: Stage) -> Trajectory:
    """Hold a conversation without ratings; it ends `unscored` with cause `not_rated`, or failed."""
    return await _Talk(slot, stage).to_its_end(rated=False)


class _UserFellOut(Exception):
    """A simulated user spoke out of role, and again when asked once more."""


class _Talk:
    """A conversation under way: what has been said, and what it took."""

    def __init__(self, slot: Slot, stage: Stage):
        self._slot = slot
        self._stage = stage
        rules = stage.conversation
        prompt = stage.environment.policy_prompt(slot, show_preference=rules.show_preference)
        self._said = [Message("system", prompt), Message("user", slot.profile.opening)]
        self._calls: list[Call] = []

    async def to_its_end(self, *, rated: bool) -> Trajectory:
        try:
            await self._speak()
            if not rated:
                return self._ended(TrajectoryStatus.UNSCORED, NOT_RATED)
            return await self._ruled(await self._rate())
        except _UserFellOut:
            return self._ended(TrajectoryStatus.UNSCORED if rated else TrajectoryStatus.FAILED, OUT_OF_ROLE)
        except ProviderError as error:
            if error.cause == NO_LOGPROBS:
                _tell_of_no_logprobs(self._stage.conversation.user_model)
            return self._ended(TrajectoryStatus.FAILED, error.cause)
        except Exception as error:
            # One broken conversation is a row like any other, so that it can't stop the rest of its round.
            _log.exception("conversation_broke", slot=self._slot.index, policy=self._stage.policy_name)
            return self._ended(TrajectoryStatus.FAILED, f"internal:{type(error).__name__}")

    async def _speak(self) -> None:
        for turn in range(self._stage.conversation.exchanges):
            if turn:
                self._said.append(Message("user", await self._users_turn(turn)))
            reply = await self._ask("assistant", (turn,), tuple(self._said), self._calls)
            self._said.append(Message("assistant", clean(reply.text)))

    async def _users_turn(self, turn: int) -> str:
        for attempt in range(_USER_ATTEMPTS):
            # The first draw is what it was before there was a check: what needs none is not changed by it.
            draw = (turn, attempt) if attempt else (turn,)
            reply = await self._ask("user", draw, self._as_the_user_sees_it(), self._calls)
            text = clean(reply.text)
            fault = out_of_role(text, self._slot.thought) if self._stage.conversation.check_users else None
            if fault is None:
                return text
            self._calls[-1] = replace(self._calls[-1], discarded=text, fault=fault)
        raise _UserFellOut

    async def _rate(self) -> Trajectory:
        exchanges = self._stage.conversation.exchanges
        calls: list[list[Call]] = [[] for _ in range(exchanges)]
        # Exceptions are gathered, not raised, so that no question is left running behind a finished conversation.
        outcomes = await asyncio.gather(
            *(self._rating(number + 1, calls[number]) for number in range(exchanges)), return_exceptions=True
        )
        self._calls.extend(itertools.chain.from_iterable(calls))
        ratings: list[float] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome is not None:
                ratings.append(outcome)
        if len(ratings) < exchanges:
            return self._ended(TrajectoryStatus.UNSCORED, UNREADABLE)
        return self._ended(TrajectoryStatus.SCORED, None, tuple(ratings))

    async def _ruled(self, rated: Trajectory) -> Trajectory:
        judge = self._stage.veto
        if judge is None or rated.status is not TrajectoryStatus.SCORED:
            return rated
        return await ruled(rated, self._slot.scenario, judge)

    async def _rating(self, number: int, calls: list[Call]) -> float | None:
        version = self._stage.conversation.rating_prompt
        question = Message("user", self._stage.environment.rating_prompt(self._slot, number, version))
        messages = (*self._as_the_user_sees_it(), question)
        for attempt in range(_RATING_ATTEMPTS):
            reply = await self._ask("rating", (number, attempt), messages, calls)
            rating = self._read(reply, calls)
            if rating is not None:
                return rating
        return None

    def _read(self, reply: ChatReply, calls: list[Call]) -> float | None:
        if self._stage.conversation.rating == "sampled":
            return read_rating(reply.text)
        if reply.choices is None:
            raise ProviderError("the reply came without log-probabilities", NO_LOGPROBS)
        probabilities = rating_probabilities(reply.choices)
        calls[-1] = replace(calls[-1], rating_probabilities=probabilities)
        return expected_rating(probabilities)

    def _as_the_user_sees_it(self) -> tuple[Message, ...]:
        prompt = Message("system", self._stage.environment.user_prompt(self._slot))
        return (prompt, *(Message(_OTHER_SIDE[said.role], said.content) for said in self._said[1:]))

    async def _ask(
        self,
        role: CallRole,
        draw: tuple[Part, ...],
        messages: tuple[Message, ...],
        calls: list[Call],
    ) -> ChatReply:
        stage = self._stage
        seed = derive_seed(*stage.seed_parts, self._slot.index, role, *draw)
        sampling = _sampling(role, stage.conversation, seed)
        is_policy = role == "assistant"
        model = stage.policy_name if is_policy else stage.conversation.user_model
        asked = stage.policy if is_policy else stage.user
        is_expected = role == "rating" and stage.conversation.rating == "expected"
        told = _TOP_LOGPROBS if is_expected else 0
        reply = await asked.chat(ChatRequest(model, messages, sampling, top_logprobs=told))
        calls.append(_call(role, model, sampling, reply))
        return reply

    def _ended(
        self, status: TrajectoryStatus, cause: str | None, ratings: tuple[float, ...] = ()
    ) -> Trajectory:
        return Trajectory(
            slot=self._slot.index,
            scenario=self._slot.scenario.name,
            profile=self._slot.profile.name,
            user_kind=self._slot.kind,
            policy=self._stage.policy_name,
            status=status,
            cause=cause,
            messages=tuple(self._said),
            ratings=ratings,
            calls=tuple(self._calls),
        )


def _sampling(role: CallRole, rules: ConversationSpec, seed: int) -> Sampling:
    if role == "assistant":
        return Sampling(rules.temperature, rules.max_tokens, seed)
    temperature = rules.temperature if rules.user_temperature is None else rules.user_temperature
    if role == "user":
        return Sampling(temperature, rules.user_max_tokens or rules.max_tokens, seed)
    # Some servers tell log-probabilities as the model has them, some as the temperature makes them: at 1 they are the same.
    return Sampling(1.0 if rules.rating == "expected" else temperature, _RATING_MAX_TOKENS, seed)


@cache
def _tell_of_no_logprobs(model: str) -> None:
    # Once a process: it is the same for all of a model's conversations.
    _log.warning(
        f"conversation.rating: expected needs log-probabilities, which {model} does not tell; "
        "use sampled, or another conversation.user_model"
    )


def _call(role: CallRole, model: str, sampling: Sampling, reply: ChatReply) -> Call:
    return Call(
        role=role,
        model=model,
        temperature=sampling.temperature,
        max_tokens=sampling.max_tokens,
        seed=sampling.seed,
        finish_reason=reply.finish_reason,
        latency_s=reply.latency_s,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        cost_usd=reply.cost_usd,
        input_usd_per_million=reply.input_usd_per_million,
        output_usd_per_million=reply.output_usd_per_million,
        top_p=sampling.top_p,
        token_ids=reply.token_ids if role == "assistant" else None,
        reasoning=reply.reasoning,
    )
