"""Planning: from a spec's mapping to runs that can be launched, and what they would come to. Nothing is written.

Everything that may be wrong with a spec is found here, before anything is written: every field of every arm, and,
through the catalogue, what only the installation knows (environments, scenarios, models).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple, Protocol

from sqlalchemy.orm import Session

from services.core.db.runs import NewRun, RunRecord
from services.core.domain.estimate import (
    CHARACTERS_A_TOKEN,
    Estimate,
    Outline,
    estimate,
    overruns,
    selected,
    selected_tokens,
    total,
)
from services.core.domain.identity import Fingerprints, LaunchOutcome, evaluation_key, run_hash
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
        """Return what stands behind everything that the spec names."""
        ...

    def check_unchanged(self, run: RunRecord, /) -> None:
        """Raise `StateConflict` if what the run was launched on has other contents now, `SpecError` if it is not here."""
        ...

    def training_size(self, spec: RunSpec, /) -> TrainingSize:
        """Return how much of training sets trains each round."""
        ...

    def cautions(self, spec: RunSpec, /) -> Iterable[str]:
        """Return what stops nothing and may yet mislead, a line each."""
        ...

    def item_count(self, spec: RunSpec, /) -> int:
        """Return how many items an evaluation has."""
        ...

    def outline(self, spec: RunSpec, /) -> Outline:
        """Return what the run asks, of whom, and at what price."""
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
    """Optimiser steps, if every conversation is scored."""
    estimate: Estimate = field(default_factory=Estimate)
    """A policy that several runs begin with is measured once."""
    warnings: tuple[str, ...] = ()
    """What the catalogue cautions against, and budgets that are smaller than the estimate, a line each."""


def read_arms(values: Mapping[str, Any], catalogue: Catalogue) -> tuple[NewArm, ...]:
    """Return the runs of a spec's mapping, one without a `sweep`, each checked in full.

    Raises `SpecError`: one line naming the field and the mend.
    """
    arms = expand(values)
    for arm in arms:
        catalogue.check(arm.spec)
    return tuple(_new_arm(arm, catalogue) for arm in arms)


def work_to_do(arms: Sequence[NewArm], foretold: Sequence[Launched], catalogue: Catalogue) -> Work:
    """Return what launching these runs comes to: of those that it leaves as they are, nothing; of begun ones, the whole."""
    found = list(zip(arms, (one.outcome for one in foretold), strict=True))
    new = [arm for arm, outcome in found if outcome is LaunchOutcome.CREATED]
    begun = [arm for arm, outcome in found if outcome is LaunchOutcome.RESUMED]
    work = work_of((*new, *begun), catalogue)
    if not begun:
        return work
    # What a begun run has spent, and was given since, is not in its spec: no word of its budget.
    warnings = (
        _gone_on(len(begun), work.runs),
        *cautions(begun, catalogue),
        *work_of(tuple(new), catalogue).warnings,
    )
    return replace(work, warnings=tuple(dict.fromkeys(warnings)))


def work_of(arms: tuple[NewArm, ...], catalogue: Catalogue) -> Work:
    """Return what these runs come to."""
    sizes = [_size(arm, catalogue) for arm in arms]
    specs = [arm.run.spec for arm in arms]
    return Work(
        runs=len(arms),
        rounds=sum(spec.rounds for spec in specs),
        conversations=sum(
            spec.rounds * spec.population.conversations for spec in specs if not spec.data.is_told
        ),
        items=sum((arm.run.spec.rounds + 1) * arm.run.evaluation_items for arm in arms),
        rows=sum(size.spec.rounds * size.rows for size in sizes),
        steps=sum(size.spec.rounds * size.steps for size in sizes),
        estimate=total(_together(sizes)),
        warnings=(*cautions(arms, catalogue), *_warnings(sizes)),
    )


def cautions(arms: Iterable[NewArm], catalogue: Catalogue) -> tuple[str, ...]:
    """Return what stops none of these runs and may yet mislead, a line each."""
    return tuple(dict.fromkeys(chain.from_iterable(catalogue.cautions(arm.run.spec) for arm in arms)))


class _Size(NamedTuple):
    """One run's part of the work."""

    spec: RunSpec
    outline: Outline
    base: str
    """What its round 0 measures, the same for runs that share it."""
    rows: int
    steps: int
    """Of a round."""
    round_tokens: float
    """That train in a round and epoch."""

    def estimate(self, evaluations: int) -> Estimate:
        return estimate(self.spec, self.outline, self.round_tokens, evaluations)


def _size(arm: NewArm, catalogue: Catalogue) -> _Size:
    spec, outline = arm.run.spec, catalogue.outline(arm.run.spec)
    base = f"{spec.policy}:{evaluation_key(spec, arm.run.fingerprints)}"
    if spec.data.is_told:
        rows, characters = catalogue.training_size(spec)
        return _Size(spec, outline, base, rows, _steps(spec.training, rows), characters / CHARACTERS_A_TOKEN)
    talks = selected(spec, outline.scenarios)
    examples = round(talks * spec.conversation.exchanges * (1 + spec.mitigations.safety_share))
    tokens = selected_tokens(spec, outline)
    return _Size(spec, outline, base, 0, _steps(spec.training, examples), tokens)


def _together(sizes: Iterable[_Size]) -> Iterator[Estimate]:
    """Yield the runs' estimates, with each measurement of an untrained policy in the first run that has it."""
    measured = set[str]()
    for size in sizes:
        yield size.estimate(size.spec.rounds + (size.base not in measured))
        measured.add(size.base)


def _gone_on(count: int, of: int) -> str:
    whose = (
        "the run goes on from where it stopped and is" if of == 1 else f"{count} of {of} runs go on and are"
    )
    return f"{whose} counted whole, with what is done"


def _warnings(sizes: Sequence[_Size]) -> Iterator[str]:
    """Yield a line for each limit that a run goes beyond, by the run that does so the furthest."""
    found = [one for size in sizes for one in overruns(size.spec.budget, size.estimate(size.spec.rounds + 1))]
    for limit in dict.fromkeys(one.limit for one in found):
        short = [one for one in found if one.limit == limit]
        worst = max(short, key=lambda one: one.needed / one.allowed)
        whose = f"{len(short)} of {len(sizes)} runs" if len(sizes) > 1 else "the run"
        yield (
            f"budget.{limit}: {worst.allowed:,.6g} is less than the estimate, which is {worst.needed:,.4g} for a run; "
            f"{whose} would stop before the end"
        )


def _steps(training: TrainingSpec, examples: int) -> int:
    return math.ceil(math.ceil(examples / training.batch_size) * training.epochs)


def foretell(session: Session, arms: tuple[NewArm, ...], again: bool = False) -> tuple[Launched, ...]:
    """Return what launching these runs would come to now."""
    return tuple(rounds.foretell(session, arm.run, again) for arm in arms)


def _new_arm(arm: Arm, catalogue: Catalogue) -> NewArm:
    fingerprints = catalogue.fingerprints(arm.spec)
    identity = run_hash(arm.spec, fingerprints)
    return NewArm(arm.labels, NewRun(arm.spec, fingerprints, identity, catalogue.item_count(arm.spec)))
