"""A capability record scored."""

from typing import Any

from services.core.domain.verdict import CapabilityOutcome, ScoringProfile
from services.evaluator.capability.rules import is_correct
from services.evaluator.harness import scoring as harness
from services.evaluator.records import Record, Reply, Scored


class CapabilityRecord(Record):
    """The reply and the answer that it should have held."""

    reply: Reply
    answer: str


def score(detail: Any, profile: ScoringProfile) -> Scored:  # noqa: ARG001 (both profiles score alike)
    """Return the outcome of a stored `CapabilityRecord`, or of a `HarnessRecord`, and its label: cause."""
    if "harness" in detail:
        return harness.score(detail)
    record = CapabilityRecord.model_validate(detail)
    if record.reply.text is None:
        return Scored(CapabilityOutcome.GEN_ERROR, {"cause": record.reply.cause})
    right = is_correct(record.reply.text, record.answer)
    return Scored(CapabilityOutcome.CORRECT if right else CapabilityOutcome.WRONG, {"cause": None})
