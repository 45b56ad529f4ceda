"""People that models wrote, on the disc: `profiles/<scenario>.jsonl` beside an environment's scenarios, a person a line.

A line holds the person and how it was made: model, seed, prompt, tokens, cost. People from elsewhere may be put there without `made`; their
author is then `unknown`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.core.domain.complaints import complaint
from services.core.domain.errors import SpecError
from services.core.domain.trajectory import Profile
from services.simulator.schema import Name, Text

FOLDER: Final = "profiles"
UNKNOWN: Final = "unknown"
Count = Annotated[int, Field(ge=0)]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Made(_Line):
    """One call of a model for one person: what was asked, and what it took."""

    model: str
    """The endpoint's name."""
    place: Count
    """Which of the scenario's people was asked for."""
    attempt: Count
    """How often it had been asked for before."""
    seed: Count
    prompt_version: Count
    prompt_sha256: str
    """Of the whole prompt, as sent."""
    attributes: dict[str, str]
    """What the person was to be made from."""
    prompt_tokens: Count | None
    completion_tokens: Count | None
    cost_usd: float | None
    """Unknown is null, never 0."""
    input_usd_per_million: float | None = None
    """What a million tokens of prompts cost then; lines from before this was kept have none."""
    output_usd_per_million: float | None = None


class PersonLine(_Line):
    """One person."""

    name: Name
    context: Text
    opening: Text
    made: Made | None = None

    def profile(self) -> Profile:
        """Return who this is in a conversation."""
        return Profile(self.name, self.context, self.opening, self.made.model if self.made else UNKNOWN)


class RejectedLine(_Line):
    """An answer that was not accepted."""

    scenario: Name
    cause: str
    complaint: str
    text: str
    """What the model said; empty where no reply came."""
    made: Made


def files_of(folder: Path) -> list[Path]:
    """Return the files of people in a folder, by name; hidden ones are the generator's own."""
    return sorted(path for path in folder.glob("*.jsonl") if not path.name.startswith("."))


def read_people(path: Path) -> Iterator[PersonLine]:
    """Read a file of people.

    Raises:
        SpecError: one line naming file, line, field and mend.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path}: can't be read ({error.strerror}); check the environment's folder") from None
    for number, line in enumerate(data.splitlines(), start=1):
        yield _person(line, f"{path}:{number}")


def _person(line: bytes, where: str) -> PersonLine:
    try:
        return PersonLine.model_validate_json(line)
    except ValidationError as error:
        first: Any = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            mend = "is cut off or no JSON; `driftloop profiles generate` again, or remove the line"
            raise SpecError(f"{where}: {mend}") from None
        raise SpecError(f"{where}: {complaint(error, PersonLine)}") from None
