"""What can go wrong, by the boundary where it does.

Every expected failure is a `LoopError`: it carries a stable machine word, and its message is one line that names
what is wrong and how to mend it. The CLI prints that line (exit code 2 for a caller's mistake, 1 otherwise); the
REST API answers it as problem+json under `status`. A failed conversation or verdict is none of these: it is a row with a cause.
"""


class LoopError(Exception):
    """The root of every expected failure. The message is for people; `type` is for programs."""

    type = "error"
    exit_code = 1
    status = 500
    """The HTTP status under which REST answers it."""


class SpecError(LoopError):
    """A run spec, scenario or setting is wrong; the message names the field and the mend."""

    type = "bad_spec"
    exit_code = 2
    status = 422


class NotFound(LoopError):
    """No such run, trajectory, scenario …"""

    type = "not_found"
    exit_code = 2
    status = 404


class StateConflict(LoopError):
    """The thing exists but is in a state that does not allow this."""

    type = "state_conflict"
    exit_code = 2
    status = 409


class Unauthorised(LoopError):
    """No valid token."""

    type = "unauthorised"
    exit_code = 2
    status = 401


class Forbidden(Unauthorised):
    """A valid token whose scope does not allow this."""

    type = "forbidden"
    status = 403


class StaleClaim(LoopError):
    """A worker's lease was lost: another attempt owns the shard now, so this one must change nothing."""

    type = "stale_claim"


class OutOfBudget(LoopError):
    """The run may begin nothing more: what was begun is written, and the shard is handed back."""

    type = "out_of_budget"


class ProviderError(LoopError):
    """A model could not be reached or refused; `cause` is a short word for the failure's row."""

    type = "provider"

    def __init__(self, message: str, cause: str = "provider_error"):
        super().__init__(message, cause)
        self.cause = cause

    def __str__(self) -> str:
        return str(self.args[0])


class AdapterError(LoopError):
    """An adapter could not be made, loaded or trusted."""

    type = "adapter"


class TrainingError(LoopError):
    """The training child failed; the message ends with the log's last lines."""

    type = "training"


class DatabaseError(LoopError):
    """Postgres can't be started or reached."""

    type = "database"
    status = 503


class ServiceUnreachable(LoopError):
    """No service answers where one should."""

    type = "unreachable"
    status = 503


def known_errors() -> dict[str, type[LoopError]]:
    """Return every kind of expected failure by its machine word."""
    kinds = [LoopError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return {kind.type: kind for kind in kinds}


class NotReady(LoopError):
    """Something that this service needs beside Postgres can't be reached."""

    type = "not_ready"
    status = 503
