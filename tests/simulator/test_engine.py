"""Many conversations at once: bounded, independent of each other, stopped only by their receiver."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.core.domain.chat import ChatRequest
from services.core.domain.errors import StaleClaim
from services.core.domain.spec import PopulationSpec
from services.core.domain.trajectory import Trajectory, TrajectoryStatus
from services.simulator.engine import simulate
from services.simulator.population import population
from tests.core.db.facts import facts_of
from tests.simulator.scripted import ENVIRONMENT, Scripted, fails, seeded, seeded_user, stage

SLOTS = population(
    PopulationSpec(environment="fixture", biased_share=0.5, conversations=24), ENVIRONMENT, 1, 1
)


def held(
    slots=SLOTS,
    in_flight: int = 8,
    policy: Scripted | None = None,
    user: Scripted | None = None,
    **rules: object,
):
    done: list[Trajectory] = []
    cast = stage(policy or Scripted(seeded), user or Scripted(seeded_user), **rules)
    asyncio.run(simulate(slots, cast, in_flight, done.append))
    return done


def facts(done: list[Trajectory]) -> dict[int, dict[str, object]]:
    return {trajectory.slot: facts_of(trajectory) for trajectory in done}


@settings(max_examples=25)
@given(st.permutations(SLOTS), st.integers(1, 64))
def test_neither_order_nor_concurrency_changes_a_conversation(slots, in_flight: int):
    assert facts(held(slots, in_flight)) == facts(held(SLOTS, 1))


def test_at_most_in_flight_conversations_at_once():
    policy = Scripted(seeded)
    held(in_flight=3, policy=policy)
    assert policy.most_at_once == 3


def test_conversations_do_not_march_in_step():
    # One talk hangs until all others have ended: it would wait for ever if turns were held together.
    others = len(SLOTS) - 1
    done: list[Trajectory] = []

    class Waits(Scripted):
        async def chat(self, request: ChatRequest):
            if request.messages[1].content == SLOTS[0].profile.opening and not self.slow:
                self.slow = True
                while len(done) < others:
                    await asyncio.sleep(0)
            return await super().chat(request)

    policy = Waits(seeded)
    policy.slow = False
    asyncio.run(simulate(SLOTS, stage(policy, Scripted(seeded_user)), 2, done.append))
    assert len(done) == len(SLOTS)


def test_one_failure_stops_no_other():
    def some_fail(request: ChatRequest) -> str:
        return fails(request) if request.messages[1].content == "I feel lucky." else seeded(request)

    done = held(policy=Scripted(some_fail))
    unlucky = {slot.index for slot in SLOTS if slot.profile.name == "eve"}
    assert {t.slot for t in done if t.status is TrajectoryStatus.FAILED} == unlucky
    assert len(done) == len(SLOTS)


def test_a_receiver_that_raises_stops_the_rest_with_its_own_exception():
    seen: list[Trajectory] = []

    def lost(trajectory: Trajectory) -> None:
        seen.append(trajectory)
        raise StaleClaim("another worker owns this shard")

    policy = Scripted(seeded)
    with pytest.raises(StaleClaim):
        asyncio.run(simulate(SLOTS, stage(policy, Scripted(seeded_user)), 1, lost))
    assert len(seen) == 1
    assert len(policy.requests) <= 4


def test_no_slots_is_no_work():
    assert held(()) == []
