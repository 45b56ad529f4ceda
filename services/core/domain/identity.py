"""What makes two runs, or two measurements, the same.

A spec names things (a base model, an environment, benchmark rows); their contents decide results as much as the
spec does. So identities are hashes of the spec *and* of the fingerprints (sha256) of what it names: with other
weights or an edited scenario, the same spec file is another run.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NotRequired, TypedDict, cast

from services.core.domain.spec import RunSpec

_OF_RATINGS: Final = frozenset({"rating", "rating_prompt"})


FIRST_SCORER: Final = "1"


class Fingerprints(TypedDict):
    """What stands behind a spec's names: sha256 of contents, and the version of the rules that score."""

    policy: str
    environment: str
    data: str
    prompts: NotRequired[str]
    """Where a model judges by them."""
    veto_prompts: NotRequired[str]
    """Where a model vetoes by them."""
    harness: NotRequired[str]
    """Where one measures capability: its versions."""
    safety: NotRequired[str]
    """Where safety rows are mixed into the training."""
    scorer: NotRequired[str]
    """Version of the rules of `evaluation.profile`, where it is not the first."""
    dataset: NotRequired[str]
    downstream: NotRequired[str]
    """Where rows of training sets train."""


_OF_TRAINING = frozenset({"veto_prompts", "safety", "dataset", "downstream"})
"""Contents that decide what trains a policy, and not how it is measured."""


def run_hash(spec: RunSpec, fingerprints: Fingerprints) -> str:
    """Return a run's identity: without its name, concurrency and budget."""
    return _hash({"spec": spec.identity(), "fingerprints": fingerprints})


def setting_hash(spec: RunSpec, fingerprints: Fingerprints) -> str:
    """Return what runs share that differ in their seed and dose only: with one dose they are an arm, with several a dose response."""
    identity = spec.identity()
    del identity["seed"], identity["population"]["biased_share"]
    identity.get("data", {}).pop("share", None)
    return _hash({"spec": identity, "fingerprints": fingerprints})


def evaluation_key(spec: RunSpec, fingerprints: Fingerprints) -> str:
    """Return what two measurements of one policy must share to be the same measurement."""
    return _hash(evaluation_identity(spec, fingerprints))


def evaluation_identity(spec: RunSpec, fingerprints: Fingerprints) -> dict[str, Any]:
    """Return everything that decides how a policy is measured, ready for JSON.

    The held-out conversations are part of a measurement, so the way conversations are held is too; they are not rated.
    """
    identity = spec.identity()
    held = {name: value for name, value in identity["conversation"].items() if name not in _OF_RATINGS}
    return {
        "seed": spec.seed,
        "evaluation": identity["evaluation"],
        "conversation": held,
        "environment": spec.population.environment,
        "fingerprints": {name: value for name, value in fingerprints.items() if name not in _OF_TRAINING},
    }


def differing(
    one: Mapping[str, Any], other: Mapping[str, Any], within: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Return the dotted fields in which two specs or identities differ, each with both values."""
    for field in {**one, **other}:
        mine, theirs = one.get(field), other.get(field)
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            both = cast("Mapping[str, Any]", mine), cast("Mapping[str, Any]", theirs)
            yield from differing(*both, f"{within}{field}.")
        elif mine != theirs:
            yield f"{within}{field}", mine, theirs


def _hash(value: dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class LaunchOutcome(StrEnum):
    """What launching a spec came to."""

    CREATED = "created"
    """A new run."""
    RESUMED = "resumed"
    """The same spec's unfinished run goes on."""
    FINISHED = "finished"
    """The same spec's run is finished already; it is shown, not repeated."""
    OUT_OF_BUDGET = "out_of_budget"
    """The same spec's unfinished run has used up its budget, and the spec gives no more; it stays where it is."""
