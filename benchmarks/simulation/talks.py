"""The conversations of the benchmark: who meets whom, and what the calls of one conversation are, whoever makes them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from services.core.domain.spec import ConversationSpec, PopulationSpec
from services.core.domain.trajectory import Slot
from services.core.settings import PROJECT
from services.simulator.population import population
from services.simulator.scenarios import Environment, load_environment

SEED = 1


def calls_of(exchanges: int) -> int:
    """Return the calls of one conversation: the policy's replies, the user's turns between them, a rating a reply."""
    return exchanges + (exchanges - 1) + exchanges


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said to whom in one conversation, before anything is answered."""

    policy_prompt: str
    user_prompt: str
    opening: str
    rating_prompts: tuple[str, ...]


def people(conversations: int) -> PopulationSpec:
    """Return who is met: the therapist's people, half of them biased."""
    return PopulationSpec(environment="therapist", biased_share=0.5, conversations=conversations)


def talks(conversations: int, exchanges: int) -> list[Talk]:
    """Return the same conversations that the simulator holds for `people`, in its order."""
    environment = load_environment(PROJECT / "scenarios/therapist")
    return [
        _talk(environment, slot, exchanges)
        for slot in population(people(conversations), environment, SEED, 1)
    ]


def write(path: Path, conversations: int, exchanges: int) -> None:
    """Write the conversations as JSON lines, for a process that knows nothing of driftloop."""
    lines = (json.dumps(asdict(talk)) for talk in talks(conversations, exchanges))
    path.write_text("\n".join(lines) + "\n")


def _talk(environment: Environment, slot: Slot, exchanges: int) -> Talk:
    version = ConversationSpec().rating_prompt
    return Talk(
        policy_prompt=environment.policy_prompt(slot, show_preference=False),
        user_prompt=environment.user_prompt(slot),
        opening=slot.profile.opening,
        rating_prompts=tuple(
            environment.rating_prompt(slot, number + 1, version) for number in range(exchanges)
        ),
    )
