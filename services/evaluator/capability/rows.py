"""Capability rows: one file is one subset. Our own rows are {id, question, answer}; those of four public sets are read as they are.

GSM8K: `question`, `answer` ending in `#### n`. MMLU: `question`, `choices`, `answer` (an index). GPQA: `Question`,
`Correct Answer`, `Incorrect Answer 1..3`, whose order is drawn from the question. Each is asked once, without examples: a
measure of change within a run, not the published protocol, so never to be set beside published scores. HumanEval's rows ask for
programs, which nothing here runs.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from services.core.domain.seeds import derive_seed
from services.evaluator.rowfiles import Loaded, load, text_column

_LETTERS = "ABCDEFGHIJ"
_WORK = "Work it out step by step. End with the answer alone on the last line."
_CHOOSE = "Think it over. End with the letter of the right answer alone on the last line."
_WRONG = ("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


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
    if "canonical_solution" in row:
        raise ValueError("row: asks for a program, which is not run here")
    if "choices" in row:
        return _mmlu(row)
    if "Correct Answer" in row:
        return _gpqa(row)
    if "id" not in row and "####" in str(row.get("answer")):
        return _gsm8k(row)
    if not isinstance(row.get("id"), str | int):
        raise ValueError("id: missing")
    answer = row.get("answer")
    if isinstance(answer, bool) or not isinstance(answer, str | int | float) or not str(answer).strip():
        raise ValueError("answer: missing")
    return CapabilityRow(str(row["id"]), text_column(row, "question"), str(answer))


def _gsm8k(row: dict[str, Any]) -> CapabilityRow:
    question, answer = text_column(row, "question"), text_column(row, "answer").rpartition("####")[2].strip()
    if not answer:
        raise ValueError("answer: has nothing behind ####")
    return CapabilityRow(_hash(question), f"{question}\n\n{_WORK}", answer)


def _mmlu(row: dict[str, Any]) -> CapabilityRow:
    choices, right = row["choices"], row.get("answer")
    if not isinstance(choices, list) or not all(isinstance(one, str) for one in cast("list[Any]", choices)):
        raise ValueError("choices: not a list of texts")
    options = cast("list[str]", choices)
    if isinstance(right, bool) or not isinstance(right, int) or not 0 <= right < min(len(options), 10):
        raise ValueError("answer: not the place of a choice")
    return _choice(text_column(row, "question"), options, right)


def _gpqa(row: dict[str, Any]) -> CapabilityRow:
    question, right = text_column(row, "Question"), text_column(row, "Correct Answer")
    options = [right, *(text_column(row, column) for column in _WRONG)]
    drawn = sorted(options, key=lambda option: derive_seed("gpqa", question, option))
    return _choice(question, drawn, drawn.index(right))


def _choice(question: str, options: Sequence[str], right: int) -> CapabilityRow:
    listed = "\n".join(f"{letter}. {option}" for letter, option in zip(_LETTERS, options, strict=False))
    return CapabilityRow(_hash(question + listed), f"{question}\n\n{listed}\n\n{_CHOOSE}", _LETTERS[right])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
