"""A sample's record scored: the harness has judged the reply, and what it said is kept.

An error that carries the cause of a reply that could not be had is the policy's; any other is the harness's, which stands where a judge stands
elsewhere.
"""

from typing import Any

from services.core.domain.verdict import CapabilityOutcome
from services.evaluator.records import Record, Scored

_CORRECT = ("C", 1, 1.0, True)
_FAILED = "harness_failed"


class HarnessRecord(Record):
    """One repeat of a sample."""

    harness: str
    """Its name and version, and that of its engine."""
    task: str
    task_version: str | None = None
    sample: str | None = None
    """The harness's own name for it."""
    text: str | None = None
    """The reply."""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    answer: str | None = None
    """What the scorer read in the reply."""
    target: str | None = None
    value: Any = None
    """The score as the harness gives it."""
    cause: str | None = None
    """Of a reply that could not be had, or of a harness that failed."""
    error: str | None = None


def score(detail: Any) -> Scored:
    """Return the outcome of a stored `HarnessRecord`, and its label: cause."""
    record = HarnessRecord.model_validate(detail)
    if record.error is None:
        is_right = record.value in _CORRECT
        return Scored(
            CapabilityOutcome.CORRECT if is_right else CapabilityOutcome.WRONG, {"cause": record.cause}
        )
    if record.cause is None or record.cause.startswith("harness_"):
        return Scored(CapabilityOutcome.JUDGE_ERROR, {"cause": record.cause or _FAILED})
    return Scored(CapabilityOutcome.GEN_ERROR, {"cause": record.cause})
