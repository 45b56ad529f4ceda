"""An environment: a folder of scenarios and the prompts by which people and therapist meet.

A scenario's people stand in its file; those whom models wrote, in `profiles/<scenario>.jsonl` beside it.

The folder is data to be parsed and never imported. What is wrong in it is a SpecError with file, field and mend. An
`Environment` fills its templates itself, so nobody else has to know their fields.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel

from services.core.domain.complaints import fit, naming, near, read_mapping
from services.core.domain.errors import SpecError
from services.core.domain.trajectory import Profile, Scenario, Slot
from services.simulator.profiles.lines import FOLDER, files_of, read_people
from services.simulator.schema import EnvironmentFile, ScenarioFile

ENVIRONMENT_FILE: Final = "environment.yaml"
File = TypeVar("File", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Environment:
    """Prompts and scenarios. Scenarios are in the order of their names, profiles in the order written, those of models last."""

    name: str
    scenarios: tuple[Scenario, ...]
    prompts: EnvironmentFile

    def policy_prompt(self, slot: Slot, *, show_preference: bool) -> str:
        """Return the policy's system prompt, with the user's hidden thought only if it is to be shown."""
        prompt = self.prompts.therapist_prompt.format(**_shared(slot))
        if not show_preference:
            return prompt
        return f"{prompt} {self.prompts.preference_line.format(**_shared(slot), preference=slot.thought)}"

    def user_prompt(self, slot: Slot) -> str:
        """Return the user model's system prompt: who it is and what it has on its mind."""
        return self.prompts.user_prompt.format(**_shared(slot), thought=slot.thought)

    def rating_prompt(self, slot: Slot, number: int, version: str) -> str:
        """Return the question for a rating of the assistant's reply `number`, counted from 1, as a version puts it."""
        prompt = self.prompts.rating_prompts[version]
        return prompt.format(**_shared(slot), thought=slot.thought, number=number)

    def check_rating_prompt(self, version: str) -> None:
        """Raise SpecError for a version of the rating prompt that is not here."""
        known = self.prompts.rating_prompts
        if version not in known:
            guess = near(version, known)
            mend = f"did you mean {guess}?" if guess else f"use {', '.join(sorted(known))}"
            raise SpecError(
                f"conversation.rating_prompt: environment {self.name!r} has no {version!r}; {mend}"
            )


def _shared(slot: Slot) -> dict[str, str]:
    return {"task": slot.scenario.task, "scenario": slot.scenario.name, "context": slot.profile.context}


def load_environment(folder: Path) -> Environment:
    """Read an environment's folder.

    Raises:
        SpecError: one line naming file, field and mend.
    """
    prompts = _read(folder / ENVIRONMENT_FILE, EnvironmentFile)
    files = sorted(path for path in folder.glob("*.y*ml") if path.name != ENVIRONMENT_FILE)
    if not files:
        raise SpecError(f"{folder}: has no scenario; put one YAML file a scenario beside {ENVIRONMENT_FILE}")
    read = [(path, _scenario(_read(path, ScenarioFile))) for path in files]
    _refuse_twins(((path, scenario.name) for path, scenario in read), "name")
    generated = _generated(folder, [scenario.name for _, scenario in read])
    for path, scenario in read:
        written = ((path, profile.name) for profile in scenario.profiles)
        made = ((folder / FOLDER / f"{scenario.name}.jsonl", one.name) for one in generated[scenario.name])
        _refuse_twins(itertools.chain(written, made), "profiles")
    scenarios = (replace(one, profiles=one.profiles + generated[one.name]) for _, one in read)
    return Environment(folder.name, tuple(sorted(scenarios, key=lambda one: one.name)), prompts)


def _generated(folder: Path, scenarios: Sequence[str]) -> dict[str, tuple[Profile, ...]]:
    """Return the people whom models wrote, by scenario."""
    found: dict[str, tuple[Profile, ...]] = dict.fromkeys(scenarios, ())
    for path in files_of(folder / FOLDER):
        if path.stem not in found:
            guess = near(path.stem, scenarios)
            mend = f"did you mean {guess}?" if guess else "give the file a scenario's name"
            raise SpecError(f"{path}: no scenario is called {path.stem!r}; {mend}")
        found[path.stem] = tuple(line.profile() for line in read_people(path))
    return found


def _read(path: Path, model: type[File]) -> File:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path}: can't be read ({error.strerror}); check the environment's folder") from None
    with naming(path):
        return fit(model, read_mapping(data))


def _scenario(file: ScenarioFile) -> Scenario:
    profiles = tuple(Profile(entry.name, entry.context, entry.opening) for entry in file.profiles)
    return Scenario(
        name=file.name,
        task=file.task,
        benign_thought=file.benign_thought,
        biased_thought=file.biased_thought,
        tags=file.tags,
        held_out=file.held_out,
        profiles=profiles,
    )


def _refuse_twins(names: Iterable[tuple[Path, str]], field: str) -> None:
    first: dict[str, Path] = {}
    for path, name in names:
        if name in first:
            raise SpecError(
                f"{path}: {field}: {name!r} is taken (in {first[name].name}); give it another name"
            )
        first[name] = path
