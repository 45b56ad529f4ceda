"""Capability rows: JSON Lines of {id, question, answer}; one file is one subset."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.evaluator.lines import Loaded, load, text_column


@dataclass(frozen=True, slots=True)
class CapabilityRow:
    """One question with one exact answer."""

    id: str
    question: str
    answer: str
    """A number, or one word."""


def load_questions(path: Path) -> Loaded:
    """Return the questions of a file and those skipped."""
    return load(path, _parse, lambda row: row.id)


def _parse(row: dict[str, Any]) -> CapabilityRow:
    if not isinstance(row.get("id"), str | int):
        raise ValueError("id: missing")
    answer = row.get("answer")
    if isinstance(answer, bool) or not isinstance(answer, str | int | float) or not str(answer).strip():
        raise ValueError("answer: missing")
    return CapabilityRow(str(row["id"]), text_column(row, "question"), str(answer))
