"""Rows of a file as they stand, JSON Lines or Parquet, each with its place; what can't be read as a row is a fault with a reason.

Lines are read one by one, so that a line of gigabytes costs no more memory than the largest row that is taken. A file that is not
there, or is no such file, is a `SpecError`; a bad row never is.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from services.core.domain.errors import SpecError

SUFFIXES = (".jsonl", ".parquet")
LARGEST_ROW_BYTES = 1 << 20
"""More than any answer that fits a model's context; whoever has a larger row has a broken file."""


_NOT_UTF8 = "row: not UTF-8"


class Fault(NamedTuple):
    """A row that can't be used. The reason names the column, never its text."""

    file: str
    line: int
    """Line, or place in a Parquet file, from 1."""
    reason: str


class Raw(NamedTuple):
    """What stands at a place: a mapping of columns, or why there is none."""

    line: int
    columns: dict[str, Any]
    fault: str | None = None


class Source(NamedTuple):
    """Where a file was fetched from, as it says itself."""

    name: str
    revision: str | None


def raw_rows(path: Path) -> Iterator[Raw]:
    """Yield the rows of a file. Raises `SpecError` if it can't be read, or is neither JSON Lines nor Parquet."""
    if path.suffix not in SUFFIXES:
        raise SpecError(f"{path}: is neither .jsonl nor .parquet")
    try:
        yield from _parquet(path) if path.suffix == ".parquet" else _json_lines(path)
    except OSError as error:
        raise SpecError(f"{path} can't be read: {error.strerror or error}") from None


def source_of(path: Path) -> Source | None:
    """Return where a Parquet file says that it was fetched from; None if it does not."""
    if path.suffix != ".parquet":
        return None
    said: dict[bytes, bytes] = _reader().read_schema(path).metadata or {}
    name, revision = said.get(b"driftloop.source"), said.get(b"driftloop.revision")
    return None if name is None else Source(name.decode(), revision.decode() if revision else None)


def _json_lines(path: Path) -> Iterator[Raw]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LARGEST_ROW_BYTES + 1):
            number += 1
            size = len(line)
            while len(line) > LARGEST_ROW_BYTES and not line.endswith(b"\n"):
                line = file.readline(LARGEST_ROW_BYTES + 1)
                size += len(line)
                if not line:
                    break
            if size > LARGEST_ROW_BYTES:
                yield Raw(number, {}, _too_large(size))
            elif line.strip():
                yield _parsed(number, line)


def _parsed(number: int, line: bytes) -> Raw:
    try:
        value = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        return Raw(number, {}, _NOT_UTF8)
    except (ValueError, RecursionError):
        return Raw(number, {}, "row: not JSON")
    if not isinstance(value, dict):
        return Raw(number, {}, "row: not a JSON object")
    return Raw(number, cast("dict[str, Any]", value))


def _parquet(path: Path) -> Iterator[Raw]:
    reader = _reader()
    try:
        batches = reader.ParquetFile(path).iter_batches()
        rows = (row for batch in batches for row in _rows(batch))
        for number, row in enumerate(rows, 1):
            if row is None:
                yield Raw(number, {}, _NOT_UTF8)
                continue
            size = _characters(row)
            yield Raw(number, row) if size <= LARGEST_ROW_BYTES else Raw(number, {}, _too_large(size))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # pyarrow's own errors are among these
        raise SpecError(f"{path} is not Parquet: {str(error).splitlines()[0]}") from None


def _rows(batch: Any) -> list[dict[str, Any] | None]:
    """Return the rows of a batch; None for one that is not UTF-8, which Parquet's writers need not check."""
    try:
        return batch.to_pylist()
    except UnicodeDecodeError:
        if batch.num_rows == 1:
            return [None]
        return [row for place in range(batch.num_rows) for row in _rows(batch.slice(place, 1))]


def _characters(value: Any) -> int:
    """Return how much text stands in a row's columns, however they are nested."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_characters, cast("dict[str, Any]", value).values()))
    return sum(map(_characters, cast("list[Any]", value))) if isinstance(value, list) else 0


def _too_large(size: int) -> str:
    return f"row: {size / 1e6:.1f} MB, more than the 1 MB that a row may have"


def _reader() -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise SpecError("Parquet files need pyarrow: pip install 'driftloop[evaluator]'") from None
    return cast("Any", parquet)
