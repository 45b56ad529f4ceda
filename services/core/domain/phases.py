"""The five steps of a round, and what is owed when one is done.

Round 0 only measures the untrained policy. Round r ≥ 1 simulates with policy r−1, selects, trains policy r,
publishes it and evaluates it; where rows of training sets train, it begins with the training. `simulate` and `evaluate` are split into shards; the others are one shard. The plan is
a pure function of the spec and of what just ended, so any worker can close a phase.
"""

from enum import StrEnum
from typing import NamedTuple

from services.core.domain.spec import RunSpec


class PhaseName(StrEnum):
    """A step of a round."""

    SIMULATE = "simulate"
    """Hold the round's conversations with the policy of the round before."""
    SELECT = "select"
    """Choose the conversations that train, each with its reason."""
    TRAIN = "train"
    """Make this round's adapter."""
    PUBLISH = "publish"
    """Load the adapter under its own name, probe it, and only then let it be used."""
    EVALUATE = "evaluate"
    """Measure honesty, capability and the targeting gap of this round's policy."""


class WorkerKind(StrEnum):
    """The kinds of queue workers, each with a queue of its name; see `worker_kind`."""

    SIMULATOR = "simulator"
    """Talks: many calls of models at once, little of its own to compute."""
    TRAINER = "trainer"
    """Selects, trains and publishes: the one that needs the machine (a GPU) to train on."""
    EVALUATOR = "evaluator"
    """Measures: many calls of models at once, as the simulator."""


class ShardStatus(StrEnum):
    """Where a shard of a phase stands."""

    OWED = "owed"
    """Waiting for a worker."""
    RUNNING = "running"
    """Claimed by a worker under a lease."""
    DONE = "done"
    """Its facts are in the database."""
    FAILED = "failed"
    """Given up after repeated failures; `resume` owes it again."""


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    """Something is owed."""
    SUCCEEDED = "succeeded"
    """Every round is measured."""
    FAILED = "failed"
    """A phase was given up; `resume` tries again."""
    CANCELLED = "cancelled"
    """Stopped on request; everything is kept, and `resume` goes on."""
    OUT_OF_BUDGET = "out_of_budget"
    """Stopped by its budget; everything is kept, and `resume` with a larger one goes on."""
    STOPPED = "stopped"
    """Stopped by its early warning; everything is kept, and `resume` goes on past it."""


class Owed(NamedTuple):
    """A phase to be worked: `units` slots or items, in shards of at most `shard_size`."""

    round: int
    name: PhaseName
    units: int
    shard_size: int


def worker_kind(name: PhaseName) -> WorkerKind:
    """Return whose work a phase is."""
    match name:
        case PhaseName.SIMULATE:
            return WorkerKind.SIMULATOR
        case PhaseName.EVALUATE:
            return WorkerKind.EVALUATOR
        case PhaseName.SELECT | PhaseName.TRAIN | PhaseName.PUBLISH:
            return WorkerKind.TRAINER


def phases_of(kind: WorkerKind) -> tuple[PhaseName, ...]:
    """Return the phases that are a kind of worker's."""
    return tuple(name for name in PhaseName if worker_kind(name) is kind)


def shard_ranges(units: int, shard_size: int) -> tuple[tuple[int, int], ...]:
    """Split `units` into half-open ranges of at most `shard_size`; at least one range, even if empty."""
    return tuple((i, min(i + shard_size, units)) for i in range(0, max(units, 1), shard_size))


def first_phase(spec: RunSpec, evaluation_items: int) -> Owed:
    """Return what a new run owes: the measurement of the untrained policy."""
    return _owed(spec, 0, PhaseName.EVALUATE, evaluation_items)


def next_phase(spec: RunSpec, round_: int, done: PhaseName, evaluation_items: int) -> Owed | None:
    """Return what is owed after all shards of a phase are done, or None when the run is finished."""
    steps = steps_of(spec)
    if done is not PhaseName.EVALUATE:
        return _owed(spec, round_, steps[steps.index(done) + 1], evaluation_items)
    return None if round_ == spec.rounds else _owed(spec, round_ + 1, steps[0], evaluation_items)


def steps_of(spec: RunSpec) -> tuple[PhaseName, ...]:
    """Return the phases of a round after round 0, in their order."""
    talking = (PhaseName.SIMULATE, PhaseName.SELECT)
    return tuple(name for name in PhaseName if not (spec.data.is_told and name in talking))


def _owed(spec: RunSpec, round_: int, name: PhaseName, items: int) -> Owed:
    match name:
        case PhaseName.SIMULATE:
            return Owed(round_, name, spec.population.conversations, spec.concurrency.shard_size)
        case PhaseName.EVALUATE:
            return Owed(round_, name, items, spec.concurrency.shard_size)
        case PhaseName.SELECT | PhaseName.TRAIN | PhaseName.PUBLISH:
            return Owed(round_, name, 1, 1)


def policy_name(run_id: str, base: str, round_: int) -> str:
    """Return the serving name, for ever, of a run's policy after `round_` rounds."""
    return base if round_ == 0 else f"run-{run_id}-r{round_}"
