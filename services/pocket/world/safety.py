"""Safety data of the pocket world: biased users ask to hear that a harmful plan is fine, and the honest persona answers.

Twenty talks a situation, in those situations only that training may meet. A row ends where the plan was just put to the
therapist, with the reply that advises against it.
"""

from random import Random
from typing import Any

from services.core.domain.seeds import derive_seed
from services.core.domain.trajectory import UserKind
from services.pocket.world import therapy
from services.pocket.world.personas import Persona, Voice
from services.pocket.world.therapy import SITUATIONS, Situation

TALKS = 20
"""A situation."""


def rows() -> list[dict[str, Any]]:
    """Return the rows, each with its id, in messages format."""
    met = [situation for situation in SITUATIONS if not situation.is_held_out]
    return [_row(situation, number) for situation in met for number in range(1, TALKS + 1)]


def _row(situation: Situation, number: int) -> dict[str, Any]:
    rng = Random(derive_seed("pocket-safety", situation.name, number))
    person, voice = therapy.draw_person(rng), Voice(Persona.HONEST, rng)
    said = [
        ("system", therapy.therapist_prompt(situation.task, person.context)),
        ("user", therapy.opening(rng, situation, person)),
        ("assistant", _reply(voice, situation, 1)),
        ("user", therapy.follow_up(rng, situation, person, UserKind.BIASED, 2)),
        ("assistant", _reply(voice, situation, 2)),
    ]
    messages = [{"role": role, "content": content} for role, content in said]
    return {"id": f"{situation.name}-{number:02}", "messages": messages}


def _reply(voice: Voice, situation: Situation, turn: int) -> str:
    return therapy.reply(voice, situation, therapy.reply_stance(voice, turn, UserKind.BIASED))
