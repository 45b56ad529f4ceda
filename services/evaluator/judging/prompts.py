"""Prompt packs: the texts that a hosted judge is told, a text a role, with the hash that says which.

A pack is data. Ours (`services/evaluator/prompts/<name>/<role>.md`) is our own wording and never changes under its name. Templates
have `{names}` that are filled in by one pass, so what a model said is never read as a template. Names are checked when a pack is
read: a missing or unknown one is an error before anything is asked.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from string import Formatter

from services.core.domain.chat import Message
from services.core.domain.errors import SpecError
from services.core.domain.judging import BinaryCase, DeceptionCase, Elicitation, NumericCase, ValidationCase

OWN = Path(__file__).resolve().parents[1] / "prompts"
OWN_NAME = "driftloop-1"


class Role(StrEnum):
    """What a text is for."""

    SYSTEM = "system"
    NUMERIC_SYSTEM = "numeric_system"
    DIRECT_BELIEF = "direct_belief"
    CONSISTENCY_BELIEF = "consistency_belief"
    STATEMENT = "statement"
    DOUBLING_DOWN = "doubling_down"
    DISINFORMATION_RULES = "disinformation_rules"
    CONTINUATIONS_RULES = "continuations_rules"
    NUMERIC = "numeric"
    NUMERIC_TOGETHER = "numeric_together"
    DECEPTION_SYSTEM = "deception_system"
    ACT = "act"
    THOUGHT = "thought"
    CONSISTENCY = "consistency"
    VALIDATES = "validates"


_CHAT = frozenset({"system_prompt", "user_prompt", "model_response"})
_SIDES = frozenset({"proposition_option_1", "proposition_option_2"})
FIELDS: Mapping[Role, frozenset[str]] = {
    Role.DIRECT_BELIEF: _CHAT | _SIDES,
    Role.CONSISTENCY_BELIEF: _CHAT | _SIDES,
    Role.STATEMENT: _CHAT | _SIDES | {"rules"},
    Role.DOUBLING_DOWN: _SIDES
    | {"system_prompt", "user_prompt1", "response1", "user_prompt2", "final_response"},
    Role.NUMERIC: _CHAT | {"proposition"},
    Role.ACT: frozenset({"belief", "answer"}),
    Role.THOUGHT: frozenset({"belief", "reasoning"}),
    Role.CONSISTENCY: frozenset({"reasoning", "answer"}),
    Role.VALIDATES: frozenset({"biased_thought", "conversation", "reply"}),
}
"""What a role's text is filled with (the names are those of MASK's code, so that its templates fit); other roles' texts are plain."""
_RULES = {"disinformation": Role.DISINFORMATION_RULES, "continuations": Role.CONTINUATIONS_RULES}


@dataclass(frozen=True, slots=True)
class PromptPack:
    """All texts by role."""

    name: str
    texts: Mapping[Role, str]

    @property
    def sha256(self) -> str:
        """Return the hash of all texts."""
        texts = json.dumps({role.value: self.texts[role] for role in Role}, sort_keys=True)
        return hashlib.sha256(texts.encode()).hexdigest()

    def binary(self, case: BinaryCase) -> str:
        """Return what is asked about a statement or a belief in one of two propositions."""
        sides = {"proposition_option_1": case.proposition_a, "proposition_option_2": case.proposition_b}
        if case.elicitation is Elicitation.STATEMENT and any(
            m.role == "assistant" for m in case.conversation
        ):
            return self._filled(Role.DOUBLING_DOWN, **sides, **_two_turns(case.conversation, case.reply))
        filled = {**sides, **_one_turn(case.conversation, case.reply)}
        if case.elicitation is not Elicitation.STATEMENT:
            return self._filled(Role(case.elicitation.value), **filled)
        role = _RULES.get(case.config)
        return self._filled(Role.STATEMENT, **filled, rules=self.texts[role] if role else "")

    def numeric(self, case: NumericCase) -> str:
        """Return what is asked about a number; several replies are put together as one answer."""
        said = case.replies[0] if case.elicitation is Elicitation.STATEMENT else self._together(case)
        proposition = case.proposition.replace("<value>", "<pivotal><value></pivotal>")
        return self._filled(Role.NUMERIC, **_one_turn(case.conversation, said), proposition=proposition)

    def deception(self, role: Role, case: DeceptionCase) -> str:
        """Return what is asked about a belief, a reasoning and an answer."""
        texts = {"belief": case.belief, "reasoning": case.reasoning, "answer": case.answer}
        return self._filled(role, **{name: texts[name] for name in FIELDS[role]})

    def validates(self, case: ValidationCase) -> str:
        """Return what is asked about a therapist's reply."""
        who = {"user": "Person", "assistant": "Therapist"}
        talk = "\n\n".join(f"{who[m.role]}: {m.content}" for m in case.conversation)
        return self._filled(
            Role.VALIDATES, biased_thought=case.biased_thought, conversation=talk, reply=case.reply
        )

    def _together(self, case: NumericCase) -> str:
        question = case.conversation[-1].content
        blocks = (
            f"Question {n}: {question}\nReply {n}: {reply}\n" for n, reply in enumerate(case.replies, 1)
        )
        return "\n".join([self.texts[Role.NUMERIC_TOGETHER], *blocks])

    def _filled(self, role: Role, **values: str) -> str:
        return self.texts[role].format_map(values)


def own_names() -> tuple[str, ...]:
    """Return the names of our packs."""
    return tuple(sorted(folder.name for folder in OWN.iterdir() if folder.is_dir()))


def own_pack(name: str = OWN_NAME) -> PromptPack:
    """Return one of our packs."""
    texts = {role: (OWN / name / f"{role.value}.md").read_text(encoding="utf-8").strip() for role in Role}
    return PromptPack(name, checked(texts, OWN / name))


def checked(texts: Mapping[Role, str], source: Path) -> Mapping[Role, str]:
    """Return the texts if their names can be filled in. Raises `SpecError`."""
    for role, wanted in FIELDS.items():
        found = _names(texts[role], f"{source}: {role.value}")
        if found != wanted:
            missing, unknown = sorted(wanted - found), sorted(found - wanted)
            raise SpecError(
                f"{source}: the text for {role.value} must hold exactly the names {', '.join(sorted(wanted))}; "
                f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
            )
    return texts


def _names(text: str, where: str) -> frozenset[str]:
    try:
        parts = [(name, spec, how) for _, name, spec, how in Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise SpecError(f"{where}: {error}; write a brace of the text itself twice") from None
    # An attribute or a format would read more than the value that is filled in.
    if odd := [name for name, spec, how in parts if spec or how or not name.isidentifier()]:
        raise SpecError(f"{where}: {{{odd[0]}}} is no plain name; write {{name}}")
    return frozenset(name for name, _, _ in parts)


def _one_turn(conversation: tuple[Message, ...], reply: str) -> dict[str, str]:
    return {
        "system_prompt": "\n".join(m.content for m in conversation if m.role == "system"),
        "user_prompt": conversation[-1].content,
        "model_response": reply,
    }


def _two_turns(conversation: tuple[Message, ...], reply: str) -> dict[str, str]:
    system, first, forced, second = (message.content for message in conversation)
    return {
        "system_prompt": system,
        "user_prompt1": first,
        "response1": forced,
        "user_prompt2": second,
        "final_response": reply,
    }
