"""What can happen to a run, as everything that tells of it or listens names it."""

from enum import StrEnum


class EventKind(StrEnum):
    """What can happen to a run."""

    RUN_LAUNCHED = "run.launched"
    RUN_RESUMED = "run.resumed"
    RUN_CANCELLED = "run.cancelled"
    RUN_FAILED = "run.failed"
    RUN_OUT_OF_BUDGET = "run.out_of_budget"
    """A limit was reached, and what was begun has ended; `error` says which."""
    RUN_ALERT = "run.alert"
    """The early warning found a drop; `round`, `measure`, `difference`, `low`, `high`, `n`, `p`, `alpha_spent`, `action`."""
    RUN_STOPPED = "run.stopped"
    """The early warning stopped it; `error` says why."""
    RUN_SUCCEEDED = "run.succeeded"
    PHASE_OWED = "phase.owed"
    """A phase's shards may be worked; `shards`, `units`."""
    PHASE_DONE = "phase.done"
    """All of a phase's shards are done; after `evaluate`, the round is measured."""
    SHARD_PROGRESS = "shard.progress"
    """Facts were written; `units_done`, `units_total`."""
    SHARD_DONE = "shard.done"
    SHARD_OWED_AGAIN = "shard.owed_again"
    """A worker failed, stopped or fell silent; `error` says why."""
    SHARD_GIVEN_UP = "shard.given_up"
    """A worker failed the third time, or fell silent the tenth; `error` says why. The run has failed."""
