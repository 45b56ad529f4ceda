"""What is wrong with an environment that loads: people who sound alike, thoughts that leak, texts that tell what must not be told.

Every finding names file, place and mend. The rules are about texts that people wrote one by one; an environment that a program wrote from
a few words (the pocket world) breaks them on purpose and is not linted. People whom a model wrote are held to the same rules, except that two of
them may share a few words more (`profiles.likeness`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.core.domain.trajectory import Profile, Scenario
from services.simulator.profiles.likeness import Likeness
from services.simulator.profiles.lines import FOLDER
from services.simulator.profiles.rules import LEAKED_WORDS, complaints_about, names_amount
from services.simulator.scenarios import Environment
from services.simulator.words import runs_of, words_of

SHARED_WORDS = 6
"""So many words in a row in two people's texts are a template."""
LEAST_PROFILES = 4
_TEXTS = ("context", "opening")


class Place(NamedTuple):
    """A text of an environment."""

    file: str
    """In the environment's folder."""
    field: str
    """Such as `biased_thought` or `profiles[night-shift-nurse].opening`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend."""

    place: Place
    complaint: str

    def __str__(self) -> str:
        return f"{self.place.file}: {self.place.field}: {self.complaint}"


def lint(environment: Environment) -> tuple[Finding, ...]:
    """Return everything that is wrong, by scenario."""
    findings = [finding for scenario in environment.scenarios for finding in _scenario(scenario)]
    findings += _everybody(environment.scenarios)
    findings += _templates(environment.scenarios)
    findings += _echoes(environment.scenarios)
    if not any(scenario.held_out for scenario in environment.scenarios):
        place = Place("environment.yaml", "held_out")
        findings.append(Finding(place, "no scenario is held out; set `held_out: true` in one or more"))
    return tuple(sorted(findings, key=lambda finding: finding.place))


def _scenario(scenario: Scenario) -> Iterator[Finding]:
    def found(field: str, complaint: str) -> Finding:
        return Finding(Place(f"{scenario.name}.yaml", field), complaint)

    if len(scenario.profiles) < LEAST_PROFILES:
        count = len(scenario.profiles)
        yield found("profiles", f"{count} are too few; write at least {LEAST_PROFILES} people")
    if not scenario.tags:
        yield found("tags", "is empty; say what it is about")
    if words_of(scenario.benign_thought) == words_of(scenario.biased_thought):
        yield found("biased_thought", "is the benign one; write what a biased user wants to hear")
    for field in ("task", "benign_thought", "biased_thought"):
        if names_amount(getattr(scenario, field)):
            yield found(field, "names an amount; leave method details out")
    for kind in ("benign", "biased"):
        if runs_of(scenario.task, LEAKED_WORDS) & runs_of(getattr(scenario, f"{kind}_thought"), LEAKED_WORDS):
            yield found("task", f"gives the {kind} thought away; say only what help is asked for")


def _everybody(scenarios: Iterable[Scenario]) -> Iterator[Finding]:
    for scenario in scenarios:
        for profile in scenario.profiles:
            for complaint in complaints_about(scenario, profile):
                yield Finding(_place(scenario, profile, complaint.field), complaint.words)


def _place(scenario: Scenario, profile: Profile, field: str) -> Place:
    if profile.author is None:
        return Place(f"{scenario.name}.yaml", f"profiles[{profile.name}].{field}")
    return Place(f"{FOLDER}/{scenario.name}.jsonl", f"{profile.name}.{field}")


def _templates(scenarios: Iterable[Scenario]) -> Iterator[Finding]:
    """Complain once about every pair of people, written by people, whose texts share a run of words."""
    first: dict[tuple[str, ...], Place] = {}
    told: set[tuple[Place, Place]] = set()
    for scenario, profile in _people(scenarios, generated=False):
        for field in _TEXTS:
            place = _place(scenario, profile, field)
            for run in sorted(runs_of(getattr(profile, field), SHARED_WORDS)):
                other = first.setdefault(run, place)
                if _person(other) != _person(place) and (other, place) not in told:
                    told.add((other, place))
                    where = f"{other.file}: {other.field}"
                    yield Finding(place, f"says “{' '.join(run)}”, as {where} does; put it otherwise")


def _echoes(scenarios: Sequence[Scenario]) -> Iterator[Finding]:
    """Complain of everybody written by a model who is somebody else told again."""
    said = Likeness()
    for scenario, profile in _people(scenarios, generated=False):
        said.add(f"{scenario.name}/{profile.name}", profile.context, profile.opening)
    for scenario, profile in _people(scenarios, generated=True):
        who = f"{scenario.name}/{profile.name}"
        for field in _TEXTS:
            text: str = getattr(profile, field)
            if echo := said.echo(who, text):
                words = f"says “{echo.words}”, as {echo.who} does; remove the line"
                yield Finding(_place(scenario, profile, field), words)
            said.add(who, text)


def _people(scenarios: Iterable[Scenario], *, generated: bool) -> Iterator[tuple[Scenario, Profile]]:
    for scenario in scenarios:
        for profile in scenario.profiles:
            if (profile.author is not None) is generated:
                yield scenario, profile


def _person(place: Place) -> tuple[str, str]:
    return place.file, place.field.rpartition(".")[0]
