"""Samples of harness tasks: places in a task's own data set, or rows in its published columns from a folder.

Files are `harness/<task>.jsonl`, `.csv` or `.parquet`. A row is checked here, so that the harness never meets one it can't use; what becomes of
it (prompt, order of choices, scoring) is the task's business.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from services.core.domain.errors import SpecError
from services.core.domain.spec import EvaluationSpec
from services.evaluator.harness.tasks import SAMPLES
from services.evaluator.rowfiles import Loaded, load, row_files, text_column


@dataclass(frozen=True, slots=True)
class HarnessRow:
    """One sample of a task."""

    task: str
    place: int
    """In the task's data set, from 0."""
    given: Mapping[str, Any] | None = None
    """The row, where it is not the published data set's."""


def harness_rows(data: Path, spec: EvaluationSpec) -> tuple[Loaded, ...]:
    """Return the `HarnessRow`s of each task that a spec names. Raises `SpecError` for a task without rows."""
    harness = spec.harness
    most = harness.limit or spec.limit
    found = [_of_hub(task) if harness.rows == "hub" else _of_folder(data, task) for task in harness.tasks]
    return tuple(Loaded(one.rows[:most], one.skipped) for one in found)


def load_rows(path: Path) -> Loaded:
    """Return the usable rows of a file as mappings, and those skipped; the file's name is the task's.

    Raises `SpecError` for a name that is no task's.
    """
    if path.stem not in _PARSERS:
        raise SpecError(f"{path}: no task of this name; use one of: {', '.join(_PARSERS)}")
    parse = _PARSERS[path.stem]
    return load(path, parse, lambda row: str(row[_ID]))


_ID = "id"


def _of_hub(task: str) -> Loaded:
    return Loaded(tuple(HarnessRow(task, place) for place in range(SAMPLES[task])), ())


def _of_folder(data: Path, task: str) -> Loaded:
    folder = data / "harness"
    path = next((path for path in row_files(folder) if path.stem == task), None)
    if path is None:
        raise SpecError(
            f"evaluation.harness.rows: there is no {task}.jsonl, .csv or .parquet in {folder}; add one, or use hub"
        )
    loaded = load_rows(path)
    if not loaded.rows:
        first = f"; the first is skipped for: {loaded.skipped[0].reason}" if loaded.skipped else ""
        raise SpecError(f"evaluation.harness.rows: no usable row in {path}{first}")
    rows = (HarnessRow(task, place, row) for place, row in enumerate(loaded.rows))
    return Loaded(tuple(rows), loaded.skipped)


def _gsm8k(row: dict[str, Any]) -> dict[str, Any]:
    question, answer = text_column(row, "question"), text_column(row, "answer")
    if not answer.rpartition("####")[2].strip() or "####" not in answer:
        raise ValueError("answer: has nothing behind ####")
    return {_ID: question, "question": question, "answer": answer}


def _mmlu(row: dict[str, Any]) -> dict[str, Any]:
    question, right = text_column(row, "question"), row.get("answer")
    options = cast("list[Any]", row["choices"]) if isinstance(row.get("choices"), list) else []
    if [type(option) for option in options] != [str] * 4:
        raise ValueError("choices: not a list of four texts")
    if isinstance(right, bool) or not isinstance(right, int) or not 0 <= right < 4:
        raise ValueError("answer: not the place of a choice, 0 to 3")
    columns = {"question": question, "choices": options, "answer": right}
    return {_ID: json.dumps([question, options]), **columns, "subject": str(row.get("subject") or "")}


def _gpqa(row: dict[str, Any]) -> dict[str, Any]:
    named = ("Question", "Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
    columns = {name: text_column(row, name) for name in named}
    record = str(row.get("Record ID") or hashlib.sha256(columns["Question"].encode()).hexdigest()[:16])
    about = {name: str(row.get(name) or "") for name in ("High-level domain", "Subdomain")}
    return {_ID: record, "Record ID": record, **columns, **about}


def _humaneval(row: dict[str, Any]) -> dict[str, Any]:
    named = ("task_id", "prompt", "canonical_solution", "test", "entry_point")
    columns = {name: text_column(row, name) for name in named}
    return {_ID: columns["task_id"], **columns}


_PARSERS: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "mmlu_0_shot": _mmlu,
    "gsm8k": _gsm8k,
    "gpqa_diamond": _gpqa,
    "humaneval": _humaneval,
}
