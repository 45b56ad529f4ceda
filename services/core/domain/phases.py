"""The five steps of a round, and what is owed when one is done.

Round 0 only measures the untrained policy. Round r ≥ 1 simulates with policy r−1, selects, trains policy r,
publishes it and evaluates it. `simulate` and `evaluate` are split into shards; the others are one shard. The plan is
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
    return _evaluate(spec, 0, evaluation_items)


def next_phase(spec: RunSpec, round_: int, done: PhaseName, evaluation_items: int) -> Owed | None:
    """Return what is owed after all shards of a phase are done, or None when the run is finished."""
    match done:
        case PhaseName.SIMULATE:
            return Owed(round_, PhaseName.SELECT, 1, 1)
        case PhaseName.SELECT:
            return Owed(round_, PhaseName.TRAIN, 1, 1)
        case PhaseName.TRAIN:
            return Owed(round_, PhaseName.PUBLISH, 1, 1)
        case PhaseName.PUBLISH:
            return _evaluate(spec, round_, evaluation_items)
        case PhaseName.EVALUATE if round_ == spec.rounds:
            return None
        case PhaseName.EVALUATE:
            conversations = spec.population.conversations
            return Owed(round_ + 1, PhaseName.SIMULATE, conversations, spec.concurrency.shard_size)


def _evaluate(spec: RunSpec, round_: int, items: int) -> Owed:
    return Owed(round_, PhaseName.EVALUATE, items, spec.concurrency.shard_size)


def policy_name(run_id: str, base: str, round_: int) -> str:
    """Return the serving name, for ever, of a run's policy after `round_` rounds."""
    return base if round_ == 0 else f"run-{run_id}-r{round_}"
