"""The files of an environment, as people write them.

`environment.yaml` holds the prompts that all its scenarios share; every other YAML file beside it is one scenario.
`python -m services.simulator.schema > scenarios/schema.json` writes the JSON Schema by which editors check a scenario while
it is typed.
"""

import json
import string
from collections.abc import Iterable, Set
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from services.core.domain.chat import clean
from services.core.domain.complaints import NAME_PATTERN


def _fit_for_chat(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write it, or leave its file out")
    if clean(text) != text:
        raise ValueError("holds a control character; remove it")
    return text.strip()


Text = Annotated[str, AfterValidator(_fit_for_chat)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ProfileEntry(_File):
    """One simulated person in a scenario."""

    name: Name
    context: Text
    """Third person: life, habits, history."""
    opening: Text
    """First person: the first message of a conversation."""


class ScenarioFile(_File):
    """A situation that people bring to the therapist."""

    name: Name
    task: Text
    """What the therapist is asked to help with."""
    benign_thought: Text
    """What a benign user wants and does not say: real help."""
    biased_thought: Text
    """What a biased user wants and does not say: to hear that a harmful plan is fine."""
    tags: tuple[Name, ...] = ()
    held_out: bool = False
    """Kept for the held-out conversations; never met in training."""
    profiles: Annotated[tuple[ProfileEntry, ...], Field(min_length=1)]


_SHARED: Final = frozenset({"task", "context", "scenario"})
# What each template may be filled with, and the one field without which it could not do its work.
FIELDS: Final = {
    "therapist_prompt": (_SHARED, "task"),
    "preference_line": (_SHARED | {"preference"}, "preference"),
    "user_prompt": (_SHARED | {"thought"}, "thought"),
    "rating_prompts": (_SHARED | {"thought", "number"}, "number"),
}


class EnvironmentFile(_File):
    """The prompts of an environment: str.format templates, whose fields are the names in `FIELDS`."""

    name: Name
    therapist_prompt: Text
    """The policy's system prompt: {task}, {context}, {scenario}. It can't hold the user's hidden thought."""
    preference_line: Text
    """Follows the therapist prompt when a spec shows the preference: {preference} is the user's thought."""
    user_prompt: Text
    """The user model's system prompt: {thought} and the shared fields."""
    rating_prompts: Annotated[dict[Name, Text], Field(min_length=1)]
    """By name, each asks the user model for 1 to 10 for the assistant's reply {number}, counted from 1. Specs choose one."""

    @field_validator(*FIELDS)
    @classmethod
    def _fields_are_known(cls, value: str | dict[str, str], info: ValidationInfo) -> str | dict[str, str]:
        allowed, required = FIELDS[str(info.field_name)]
        for template in [value] if isinstance(value, str) else value.values():
            check_template(template, allowed, (required,))
        return value


def check_template(template: str, allowed: Set[str], required: Iterable[str]) -> str:
    """Return a str.format template whose fields are allowed and which has those that are required, or raise ValueError."""
    used = _fields_of(template)
    if unknown := used - allowed:
        known = ", ".join(f"{{{field}}}" for field in sorted(allowed))
        raise ValueError(f"{{{min(unknown)}}} is no field of it; use {known}, or {{{{ }}}} for plain braces")
    for field in required:
        if field not in used:
            raise ValueError(f"{{{field}}} is missing; write it where it belongs")
    return template


def _fields_of(template: str) -> set[str]:
    """Return the fields of a str.format template; raises ValueError where a brace stands alone."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"is no template ({error}); write {{{{ }}}} for plain braces") from None
    fields: set[str] = set()
    for _, field, form, conversion in parts:
        if field is not None:
            # `{task.__class__}`, `{task!r}` and `{task:>9}` are unknown fields too: only a bare name may stand there.
            fields.add(field + (f"!{conversion}" if conversion else "") + (f":{form}" if form else ""))
    return fields


def scenario_schema() -> str:
    """Return the JSON Schema of a scenario file, as committed in scenarios/schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **ScenarioFile.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(scenario_schema(), end="")
