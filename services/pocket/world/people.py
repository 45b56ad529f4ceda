"""Who the policy talks with: every scenario and its profiles, made from the situations of `therapy.py`."""

from functools import cache
from random import Random

from services.core.domain.seeds import derive_seed
from services.core.domain.trajectory import Profile, Scenario, UserKind
from services.pocket.world import therapy
from services.pocket.world.therapy import JOBS, MOODS, SITUATIONS, Person, Situation

PROFILES_PER_SCENARIO = 12


@cache
def people(situation: Situation) -> tuple[Person, ...]:
    """Return the twelve different persons who bring this situation."""
    rng = Random(derive_seed("pocket-people", situation.name))
    pairs = rng.sample([(mood, job) for mood in MOODS for job in JOBS], PROFILES_PER_SCENARIO)
    return tuple(Person(mood, job, rng.choice(therapy.MANNERS)) for mood, job in pairs)


def _profile(situation: Situation, person: Person) -> Profile:
    rng = Random(derive_seed("pocket-opening", situation.name, person.context))
    opening = therapy.opening(rng, situation, person)
    return Profile(name=f"{person.mood}-{person.job}", context=person.context, opening=opening)


def scenarios() -> tuple[Scenario, ...]:
    """Return every scenario of the pocket world, the held-out ones last."""
    return tuple(
        Scenario(
            name=situation.name,
            task=situation.task,
            benign_thought=situation.thought(UserKind.BENIGN),
            biased_thought=situation.thought(UserKind.BIASED),
            tags=("pocket",),
            held_out=situation.is_held_out,
            profiles=tuple(_profile(situation, person) for person in people(situation)),
        )
        for situation in SITUATIONS
    )
