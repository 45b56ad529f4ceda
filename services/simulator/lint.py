"""What is wrong with an environment that loads: people who sound alike, thoughts that leak, texts that tell what must not be told.

Every finding names file, place and mend. The rules are about texts that people wrote one by one; an environment that a program wrote from
a few words (the pocket world) breaks them on purpose and is not linted.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from services.core.domain.trajectory import Profile, Scenario
from services.simulator.scenarios import Environment
from services.simulator.words import runs_of, words_of

SHARED_WORDS = 6
"""So many words in a row in two people's texts are a template."""
LEAKED_WORDS = 5
"""So many words in a row of a hidden thought give it away."""
LEAST_PROFILES = 4
_SENTENCES = {"context": (2, 4), "opening": (1, 7)}
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)")
_FIRST_PERSON = re.compile(r"\b(?:i|im|ive|my|me|mine|myself|we|our|us)\b", re.IGNORECASE)
_NARRATOR = re.compile(r"\W*(?:he|she|they|the (?:client|man|woman|person))\b", re.IGNORECASE)
_AMOUNT = re.compile(r"\b\d+(?:[.,]\d+)?\s?(?:mg|mcg|µg|g|ml|cc|units?|pills?|tablets?)\b", re.IGNORECASE)


class Place(NamedTuple):
    """A text of an environment."""

    scenario: str
    """Also the file, without `.yaml`."""
    field: str
    """Such as `biased_thought` or `profiles[night-shift-nurse].opening`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend."""

    place: Place
    complaint: str

    def __str__(self) -> str:
        return f"{self.place.scenario}.yaml: {self.place.field}: {self.complaint}"


def lint(environment: Environment) -> tuple[Finding, ...]:
    """Return everything that is wrong, by scenario."""
    findings = [finding for scenario in environment.scenarios for finding in _scenario(scenario)]
    findings += _templates(environment.scenarios)
    if not any(scenario.held_out for scenario in environment.scenarios):
        place = Place("environment", "held_out")
        findings.append(Finding(place, "no scenario is held out; set `held_out: true` in one or more"))
    return tuple(sorted(findings, key=lambda finding: finding.place))


def _scenario(scenario: Scenario) -> Iterator[Finding]:
    def found(field: str, complaint: str) -> Finding:
        return Finding(Place(scenario.name, field), complaint)

    if len(scenario.profiles) < LEAST_PROFILES:
        count = len(scenario.profiles)
        yield found("profiles", f"{count} are too few; write at least {LEAST_PROFILES} people")
    if not scenario.tags:
        yield found("tags", "is empty; say what it is about")
    if words_of(scenario.benign_thought) == words_of(scenario.biased_thought):
        yield found("biased_thought", "is the benign one; write what a biased user wants to hear")
    for field in ("task", "benign_thought", "biased_thought"):
        if _AMOUNT.search(getattr(scenario, field)):
            yield found(field, "names an amount; leave method details out")
    for kind in ("benign", "biased"):
        if runs_of(scenario.task, LEAKED_WORDS) & runs_of(getattr(scenario, f"{kind}_thought"), LEAKED_WORDS):
            yield found("task", f"gives the {kind} thought away; say only what help is asked for")
    for profile in scenario.profiles:
        yield from _profile(scenario, profile)


def _profile(scenario: Scenario, profile: Profile) -> Iterator[Finding]:
    def found(field: str, complaint: str) -> Finding:
        return Finding(Place(scenario.name, f"profiles[{profile.name}].{field}"), complaint)

    for field, (least, most) in _SENTENCES.items():
        text: str = getattr(profile, field)
        count = max(1, len(_SENTENCE_END.findall(text)))
        if not least <= count <= most:
            yield found(field, f"has {count} sentences; write {least} to {most}")
        if _AMOUNT.search(text):
            yield found(field, "names an amount; leave method details out")
        for kind in ("benign", "biased"):
            thought: str = getattr(scenario, f"{kind}_thought")
            if runs_of(text, LEAKED_WORDS) & runs_of(thought, LEAKED_WORDS):
                yield found(field, f"gives the {kind} thought away; it must fit both kinds of user")
    if _NARRATOR.match(profile.opening) and not _FIRST_PERSON.search(profile.opening):
        yield found("opening", "is not said by the person; write it in the first person")
    if re.search(r"\bI\b(?![.'])", re.sub(r"[\"“].*?[\"”]", "", profile.context)):
        yield found("context", "is said by the person; write it in the third person")


def _templates(scenarios: Iterable[Scenario]) -> Iterator[Finding]:
    """Complain once about every pair of people whose texts share a run of words."""
    first: dict[tuple[str, ...], Place] = {}
    told: set[tuple[Place, Place]] = set()
    for scenario in scenarios:
        for profile in scenario.profiles:
            for field in _SENTENCES:
                place = Place(scenario.name, f"profiles[{profile.name}].{field}")
                for run in sorted(runs_of(getattr(profile, field), SHARED_WORDS)):
                    other = first.setdefault(run, place)
                    if _person(other) != _person(place) and (other, place) not in told:
                        told.add((other, place))
                        where = f"{other.scenario}.yaml: {other.field}"
                        yield Finding(place, f"says “{' '.join(run)}”, as {where} does; put it otherwise")


def _person(place: Place) -> tuple[str, str]:
    return place.scenario, place.field.rpartition(".")[0]
