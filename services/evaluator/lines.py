"""JSON Lines as benchmark folders hold them: each row read, or skipped with a reason that is counted.

One bad row never stops an evaluation; a file that is not there or not text does, with a line that says so.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from services.core.domain.errors import SpecError

Row = TypeVar("Row")


class Skip(NamedTuple):
    """A row that could not be used. The reason names the column, never its text."""

    file: str
    row: int
    """Line, or place in the array, from 1."""
    reason: str


class Loaded(NamedTuple):
    """What a file held, in its order."""

    rows: tuple[Any, ...]
    skipped: tuple[Skip, ...]


def read_text(path: Path) -> str:
    """Return a data file's text; raise `SpecError` if it is missing or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"evaluation.data: {path} can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SpecError(f"evaluation.data: {path} is not UTF-8 text") from None


def load(path: Path, parse: Callable[[dict[str, Any]], Row], identify: Callable[[Row], str]) -> Loaded:
    """Return the rows that `parse` takes; it raises `ValueError` with a reason for one that it can't use."""
    rows: dict[str, Row] = {}
    skipped: list[Skip] = []
    for number, line in _lines(read_text(path)):
        try:
            row = parse(_mapping(line))
            if identify(row) in rows:
                raise ValueError("id: used by an earlier row")
            rows[identify(row)] = row
        except ValueError as reason:
            skipped.append(Skip(path.name, number, str(reason)))
    return Loaded(tuple(rows.values()), tuple(skipped))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # Not splitlines: it also splits at characters that JSON strings may hold.
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def _mapping(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        raise ValueError("row: not JSON") from None
    if not isinstance(row, dict):
        raise ValueError("row: not a JSON object")
    return cast(dict[str, Any], row)


def text_column(row: dict[str, Any], name: str) -> str:
    """Return a column that must hold text."""
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name}: missing or empty")
    return value
