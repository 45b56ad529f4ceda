"""Planning: from a spec's mapping to runs that can be launched, and what they would come to. Nothing is written.

Everything that may be wrong with a spec is found here, before anything is written: every field of every arm, and,
through the catalogue, what only the installation knows (environments, scenarios, models).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from sqlalchemy.orm import Session

from services.core.db.runs import NewRun
from services.core.domain.identity import Fingerprints, run_hash
from services.core.domain.spec import RunSpec, TrainingSpec
from services.core.domain.sweep import Arm, expand
from services.core.operations.launching import NewArm
from services.core.queue import rounds
from services.core.queue.rounds import Launched


class TrainingSize(NamedTuple):
    """Rows of training sets that train a round."""

    rows: int
    characters: int
    """Of prompts and replies."""


class Catalogue(Protocol):
    """What specs may name in this installation."""

    def check(self, spec: RunSpec, /) -> None:
        """Raise `SpecError` for whatever this installation can't serve."""
        ...

    def check_prices(self, spec: RunSpec, /) -> None:
        """Raise `SpecError` if a budget in money is set and a price is not known. `check` does it too."""
        ...

    def fingerprints(self, spec: RunSpec, /) -> Fingerprints:
        """Return the sha256 of everything that the spec names."""
        ...

    def training_size(self, spec: RunSpec, /) -> TrainingSize:
        """Return how much of training sets trains each round."""
        ...

    def item_count(self, spec: RunSpec, /) -> int:
        """Return how many items an evaluation has."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What runs come to."""

    runs: int
    rounds: int
    """Rounds of training, of all runs together."""
    conversations: int
    items: int
    """Benchmark items and held-out conversations, at most: arms share the measurement of an equal base."""
    rows: int = 0
    """Rows of training sets that train, each as often as there are rounds."""
    steps: int = 0
    """Optimiser steps on them."""
    tokens: int = 0
    """About how many tokens are trained on, at four characters each and as many epochs as asked."""


def read_arms(values: Mapping[str, Any], catalogue: Catalogue) -> tuple[NewArm, ...]:
    """Return the runs of a spec's mapping, one without a `sweep`, each checked in full.

    Raises `SpecError`: one line naming the field and the mend.
    """
    arms = expand(values)
    for arm in arms:
        catalogue.check(arm.spec)
    return tuple(_new_arm(arm, catalogue) for arm in arms)


def work_of(arms: tuple[NewArm, ...], catalogue: Catalogue) -> Work:
    """Return what these runs come to."""
    specs = [arm.run.spec for arm in arms]
    told = [(spec, catalogue.training_size(spec)) for spec in specs if spec.data.is_told]
    return Work(
        runs=len(arms),
        rounds=sum(spec.rounds for spec in specs),
        conversations=sum(
            spec.rounds * spec.population.conversations for spec in specs if not spec.data.is_told
        ),
        items=sum((arm.run.spec.rounds + 1) * arm.run.evaluation_items for arm in arms),
        rows=sum(spec.rounds * size.rows for spec, size in told),
        steps=sum(spec.rounds * _steps(spec.training, size.rows) for spec, size in told),
        tokens=sum(round(spec.rounds * spec.training.epochs * size.characters / 4) for spec, size in told),
    )


def _steps(training: TrainingSpec, rows: int) -> int:
    return math.ceil(math.ceil(rows / training.batch_size) * training.epochs)


def foretell(session: Session, arms: tuple[NewArm, ...], again: bool = False) -> tuple[Launched, ...]:
    """Return what launching these runs would come to now."""
    return tuple(rounds.foretell(session, arm.run, again) for arm in arms)


def _new_arm(arm: Arm, catalogue: Catalogue) -> NewArm:
    fingerprints = catalogue.fingerprints(arm.spec)
    identity = run_hash(arm.spec, fingerprints)
    return NewArm(arm.labels, NewRun(arm.spec, fingerprints, identity, catalogue.item_count(arm.spec)))
