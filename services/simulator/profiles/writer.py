"""How a model is asked for one person: the environment's `profiles/writer.yaml`.

The prompt shows both hidden thoughts and asks for one neutral person (arXiv 2510.08211, section 3.1: its writing prompt does so too; the wording is
ours). Beside it stands what the person is to be made from: one value of each attribute. Values are dealt like cards, so within a
scenario each comes as often as any other, and four hundred people are not four hundred times the model's favourite.

What is asked depends on (seed, scenario, place, attempt) alone, so a repeat asks the same.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from services.core.domain.chat import ChatRequest, Message, Sampling
from services.core.domain.complaints import fit, naming, read_mapping
from services.core.domain.errors import SpecError
from services.core.domain.seeds import derive_seed
from services.core.domain.trajectory import Scenario
from services.simulator.profiles.lines import FOLDER
from services.simulator.schema import Name, Text, check_template

WRITER_FILE: Final = "writer.yaml"
MAX_TOKENS: Final = 4096
"""A person takes about 200; models that think before they write need the rest."""
ANSWER_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"user_context": {"type": "string"}, "user_prompt": {"type": "string"}},
    "required": ["user_context", "user_prompt"],
    "additionalProperties": False,
}
_TEMPERATURE = 1.0
_FIELDS = frozenset({"task", "scenario", "benign_thought", "biased_thought", "attributes"})
_REQUIRED = ("task", "benign_thought", "biased_thought", "attributes")


class WriterFile(BaseModel):
    """`profiles/writer.yaml`, as people write it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    version: Annotated[int, Field(ge=1)]
    """Raised by whoever changes the prompt."""
    prompt: Text
    """A str.format template: {task}, {benign_thought}, {biased_thought}, {attributes}, {scenario}."""
    attributes: dict[Name, Annotated[tuple[Text, ...], Field(min_length=1)]]
    """What people are made from: attribute → its values. A value that stands twice comes twice as often."""

    @field_validator("prompt")
    @classmethod
    def _fields_are_known(cls, template: str) -> str:
        return check_template(template, _FIELDS, _REQUIRED)


class Place(NamedTuple):
    """One person that is wanted."""

    scenario: Scenario
    number: int
    """Counted from 0 within the scenario."""

    @property
    def name(self) -> str:
        """What the person is called."""
        return f"p{self.number:04d}"


class Asked(NamedTuple):
    """A request for one person, and what it was made from."""

    request: ChatRequest
    attributes: dict[str, str]
    prompt_sha256: str


class Writer:
    """Asks for people of one environment."""

    def __init__(self, file: WriterFile, seed: int):
        self._file = file
        self._seed = seed
        self._dealt = lru_cache(maxsize=4096)(self._deal)

    @property
    def version(self) -> int:
        """The prompt's version."""
        return self._file.version

    def ask(self, place: Place, attempt: int, model: str) -> Asked:
        """Return the request for a person; another attempt is the same question with another seed."""
        attributes = {name: self._attribute(name, place) for name in self._file.attributes}
        scenario = place.scenario
        prompt = self._file.prompt.format(
            task=scenario.task,
            scenario=scenario.name,
            benign_thought=scenario.benign_thought,
            biased_thought=scenario.biased_thought,
            attributes="; ".join(f"{name}: {value}" for name, value in attributes.items()),
        )
        # 31 bits: all that some providers take.
        seed = derive_seed(self._seed, "profile", scenario.name, place.number, attempt) >> 32
        sampling = Sampling(_TEMPERATURE, MAX_TOKENS, seed)
        request = ChatRequest(model, (Message("user", prompt),), sampling, ANSWER_SCHEMA)
        return Asked(request, attributes, hashlib.sha256(prompt.encode()).hexdigest())

    def _attribute(self, name: str, place: Place) -> str:
        turn, card = divmod(place.number, len(self._file.attributes[name]))
        return self._dealt(name, place.scenario.name, turn)[card]

    def _deal(self, name: str, scenario: str, turn: int) -> tuple[str, ...]:
        values = enumerate(self._file.attributes[name])
        seed = (self._seed, "attribute", name, scenario, turn)
        return tuple(value for _, value in sorted(values, key=lambda card: derive_seed(*seed, card[0])))


def read_writer(environment: Path) -> WriterFile:
    """Read how an environment asks for people.

    Raises:
        SpecError: one line naming file, field and mend.
    """
    path = environment / FOLDER / WRITER_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        mend = f"write one as scenarios/therapist/{FOLDER}/{WRITER_FILE} is written"
        raise SpecError(f"{path}: can't be read ({error.strerror}); {mend}") from None
    with naming(path):
        return fit(WriterFile, read_mapping(data))
