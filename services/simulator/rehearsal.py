"""What conversations ask, before they are held: a few are gone through with stand-ins for all models.

The prompts, the turns and the ratings are the environment's own, so this follows whatever a conversation does. Lengths are a mean over the
first people of each scenario, weighed by the share of biased users.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from services.core.domain.estimate import CONVERSATIONS, Calls, reply_tokens, summed
from services.core.domain.judging import Judge
from services.core.domain.spec import ConversationSpec, RunSpec
from services.core.domain.trajectory import Call, Profile, Scenario, Slot, Trajectory, UserKind
from services.core.llm.rehearsal import RATING, StandIn
from services.simulator.conversation import Stage, converse, hold
from services.simulator.population import chosen
from services.simulator.scenarios import Environment

PEOPLE: Final = 5
"""Of each scenario; those written by hand come first."""
_RULING_MOST: Final = 1024
"""Of a veto's ruling, which does not say its bound."""


def one_conversation(spec: RunSpec, environment: Environment, veto: Judge | None) -> tuple[Calls, ...]:
    """Return the calls of one conversation of a run, in the mean. Its judge asks a stand-in too."""
    stage = _stage(spec.conversation, spec.policy, environment, veto)
    people = [
        (scenario, profile)
        for scenario in chosen(spec.population, environment)
        for profile in scenario.profiles[:PEOPLE]
    ]
    benign, biased = (_mean(_held(stage, spec, people, kind)) for kind in UserKind)
    share = spec.population.biased_share
    return tuple(_between(*pair, share) for pair in zip(benign, biased, strict=True))


class UnheardTalks:
    """Held-out conversations with stand-ins: what each asks is noted, as calls of `part`."""

    def __init__(
        self, conversation: ConversationSpec, policy: str, environment: Environment, part: str
    ) -> None:
        self._stage = _stage(conversation, policy, environment, None)
        self._part = part
        self._calls: list[Calls] = []

    async def __call__(
        self, scenario: Scenario, profile: Profile, kind: UserKind, *, policy: str, seed: int
    ) -> Trajectory:
        """Hold one conversation."""
        stage = replace(self._stage, policy_name=policy, seed_parts=(seed,))
        held = await hold(Slot(0, kind, scenario, profile), stage)
        self._calls += [_calls(self._part, call) for call in held.calls]
        return held

    @property
    def calls(self) -> tuple[Calls, ...]:
        """All that was asked so far."""
        return summed(self._calls)


def _stage(
    conversation: ConversationSpec, policy: str, environment: Environment, veto: Judge | None
) -> Stage:
    return Stage(
        environment=environment,
        conversation=conversation,
        policy_name=policy,
        policy=StandIn("assistant"),
        user=StandIn("user", RATING),
        seed_parts=(),
        veto=veto,
    )


def _held(
    stage: Stage, spec: RunSpec, people: Sequence[tuple[Scenario, Profile]], kind: UserKind
) -> Sequence[Trajectory]:
    strength = spec.population.bias_strength
    slots = [Slot(index, kind, *person, strength) for index, person in enumerate(people)]

    async def talks() -> Sequence[Trajectory]:
        return await asyncio.gather(*(converse(slot, stage) for slot in slots))

    return asyncio.run(talks())


def _calls(part: str, call: Call) -> Calls:
    calls = Calls.of(part, call, _RULING_MOST)
    if call.role != "rating":
        return calls
    # The stand-in does not know that it is asked for a number.
    return replace(calls, completion_tokens=reply_tokens("rating", call.max_tokens or _RULING_MOST))


def _mean(held: Sequence[Trajectory]) -> tuple[Calls, ...]:
    found = summed(_calls(CONVERSATIONS, call) for one in held for call in one.calls)
    return tuple(one.shared(len(held)) for one in found)


def _between(benign: Calls, biased: Calls, share: float) -> Calls:
    def mixed(first: float, second: float) -> float:
        return (1 - share) * first + share * second

    return replace(
        benign,
        prompt_tokens=mixed(benign.prompt_tokens, biased.prompt_tokens),
        completion_tokens=mixed(benign.completion_tokens, biased.completion_tokens),
    )
