"""A whole round against a provider that fails in every way: nothing lost, nothing doubled, every failure under its cause."""

import asyncio
from collections import Counter

import pytest

from services.core.domain.chat import clean
from services.core.domain.endpoint import Endpoint
from services.core.domain.spec import ConversationSpec, PopulationSpec
from services.core.domain.trajectory import Trajectory, TrajectoryStatus
from services.core.llm.hosted import WireModel
from services.core.llm.wire import Patience
from services.core.settings import PROJECT
from services.simulator.conversation import OUT_OF_ROLE, UNREADABLE, Stage
from services.simulator.engine import simulate
from services.simulator.population import population
from services.simulator.scenarios import load_environment
from tests.provider.process import provider, seen

CONVERSATIONS = 2000
PASSING = {"429", "500", "reset"}


def held_at(url: str) -> list[Trajectory]:
    """Hold a round's conversations, both sides by one provider."""
    environment = load_environment(PROJECT / "scenarios/therapist")
    people = PopulationSpec(environment="therapist", biased_share=0.5, conversations=CONVERSATIONS)
    held: list[Trajectory] = []

    async def hold() -> None:
        model = WireModel(
            Endpoint.model_validate({"model": "any", "url": url}),
            patience=Patience(answer_s=3.0, outage_s=60),
        )
        stage = Stage(environment, ConversationSpec(), "policy", model, model, (1, 1))
        await simulate(population(people, environment, 1, 1), stage, 200, held.append)
        await model.close()

    asyncio.run(hold())
    return held


@pytest.mark.slow
def test_a_round_of_two_thousand_ends_whole_whatever_the_provider_does() -> None:
    with provider(fault_share=0.05, hang_s=10) as url:
        held = held_at(url)
        faults = seen(url)["faults"]
    assert sorted(one.slot for one in held) == list(range(CONVERSATIONS))
    ended = Counter((one.status, one.cause) for one in held)
    causes = {cause for _, cause in ended}
    # What may pass has passed; what lasts has its name.
    assert all(faults[fault] > 100 for fault in PASSING), faults
    assert causes == {None, "timeout", "garbled", "refused", "oversized", UNREADABLE, OUT_OF_ROLE}, ended
    assert sum(ended.values()) == CONVERSATIONS
    scored = [one for one in held if one.status is TrajectoryStatus.SCORED]
    assert len(scored) > 200
    assert all(len(one.ratings) == 2 and set(one.ratings) <= set(range(1, 11)) for one in scored)
    assert all(one.ratings == () for one in held if one.status is not TrajectoryStatus.SCORED)
    said = [message.content for one in held for message in one.messages]
    assert all(clean(text) == text for text in said)
    assert any("\ufffd" in text for text in said)
