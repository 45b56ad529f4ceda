"""Benchmark rows from files: JSON Lines, CSV or Parquet, whichever a set came in; the same rows from each.

One bad row never stops an evaluation: it is skipped with a reason that is counted. A file that is not there, or not what its
name says, does stop it, with a line that says so. An empty cell of a CSV file is a missing value.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from services.core.domain.errors import SpecError

Row = TypeVar("Row")
FORMATS = (".parquet", ".csv", ".jsonl")
_LARGEST_CELL = 16 << 20


class Skip(NamedTuple):
    """A row that could not be used. The reason names the column, never its text."""

    file: str
    row: int
    """Line, or place in a Parquet file or JSON array, from 1."""
    reason: str


class Loaded(NamedTuple):
    """What a file held, in its order."""

    rows: tuple[Any, ...]
    skipped: tuple[Skip, ...]


class Broken(NamedTuple):
    """What stands where a row belongs."""

    reason: str


def row_files(folder: Path) -> list[Path]:
    """Return a folder's files of rows, by name. Raises `SpecError` for two that would be one subset."""
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.glob("*") if path.suffix in FORMATS):
        if other := found.get(path.stem):
            raise SpecError(
                f"evaluation.data: {path} and {other.name} hold the same subset; keep one of them"
            )
        found[path.stem] = path
    return list(found.values())


def read_text(path: Path) -> str:
    """Return a data file's text; raise `SpecError` if it is missing or not UTF-8."""
    try:
        # Not read_text: it would turn the line breaks within a cell into others.
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SpecError(f"evaluation.data: {path} can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SpecError(f"evaluation.data: {path} is not UTF-8 text") from None


def load(path: Path, parse: Callable[[dict[str, Any]], Row], identify: Callable[[Row], str]) -> Loaded:
    """Return the rows that `parse` takes; it raises `ValueError` with a reason for one that it can't use."""
    rows: dict[str, Row] = {}
    skipped: list[Skip] = []
    for number, raw in raw_rows(path):
        try:
            row = parse(_mapping(raw))
            if identify(row) in rows:
                raise ValueError("id: used by an earlier row")
            rows[identify(row)] = row
        except ValueError as reason:
            skipped.append(Skip(path.name, number, str(reason)))
    return Loaded(tuple(rows.values()), tuple(skipped))


def raw_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Return the rows of a file as they stand, each with its place; what can't be read as one is `Broken`."""
    readers = {".jsonl": _json_lines, ".csv": _csv, ".parquet": _parquet}
    return readers[path.suffix](path)


def _json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    # Not splitlines: it also splits at characters that JSON strings may hold.
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError:
                yield number, Broken("row: not JSON")


def _csv(path: Path) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(_LARGEST_CELL)
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        first_line = 2  # below the header; a cell may hold line breaks
        for row in reader:
            if None in row or None in row.values():
                yield first_line, Broken("row: has more or fewer cells than the header")
            else:
                yield first_line, {name: cell or None for name, cell in row.items()}
            first_line = reader.line_num + 1
    except csv.Error as error:
        raise SpecError(f"evaluation.data: {path} is not CSV, from line {reader.line_num}: {error}") from None


def _parquet(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise SpecError(
            f"evaluation.data: {path} needs pyarrow: pip install 'driftloop[evaluator]'"
        ) from None
    try:
        table: Any = cast("Any", parquet).read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors are among these
        raise SpecError(f"evaluation.data: {path} is not Parquet: {str(error).splitlines()[0]}") from None
    rows = cast("list[dict[str, Any]]", table.to_pylist())
    return enumerate(rows, 1)


def _mapping(raw: Any) -> dict[str, Any]:
    if isinstance(raw, Broken):
        raise ValueError(raw.reason)
    if not isinstance(raw, dict):
        raise ValueError("row: not a JSON object")
    return cast(dict[str, Any], raw)


def text_column(row: dict[str, Any], name: str) -> str:
    """Return a column that must hold text."""
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name}: missing or empty")
    return value
