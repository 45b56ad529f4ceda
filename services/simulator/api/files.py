# pyright: basic
# (pyarrow carries no types)
"""Rows as files, JSON lines or Parquet: sent while they are written, at constant memory, and never kept on the server.

What fails before the first row is answered as a problem. A file that fails half-way is cut off, so that no client takes it for
a complete one.
"""

import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi.responses import StreamingResponse
from pydantic_core import to_json
from starlette.responses import Response

from services.simulator.api.problems import documented

JSONL = "application/jsonl"
PARQUET = "application/vnd.apache.parquet"
ROW_GROUP = 2000
"""Rows of a Parquet file that are in memory at once."""
LINES = 50
"""Lines that are sent at once: a line alone is dearer to send than to write."""
CONTENT: dict[int | str, dict[str, Any]] = {
    **documented(404),
    200: {
        "description": "The file",
        "content": {
            JSONL: {"schema": {"type": "string"}, "example": '{"id": 4711, "run": "3f2a91bc"}\n'},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
        },
    },
}
"""The `responses` of a route that answers a file."""

Rows = Iterable[dict[str, Any]]


class Format(StrEnum):
    """How rows are written."""

    JSONL = "jsonl"
    """A JSON object a line."""
    PARQUET = "parquet"
    """Columns."""


class Column(StrEnum):
    """What a column of Parquet holds."""

    TEXT = "text"
    NUMBER = "number"
    BIG = "big"
    FLAG = "flag"
    TIME = "time"
    FRACTION = "fraction"
    FRACTIONS = "fractions"
    MESSAGES = "messages"
    """Chat turns: structs of role and content, as TRL takes them."""
    JSON = "json"
    """What is nested and free in form, as JSON text."""


_TYPES = {
    Column.TEXT: pa.string(),
    Column.NUMBER: pa.int32(),
    Column.BIG: pa.int64(),
    Column.FLAG: pa.bool_(),
    Column.TIME: pa.timestamp("us", "UTC"),
    Column.FRACTION: pa.float64(),
    Column.FRACTIONS: pa.list_(pa.float64()),
    Column.MESSAGES: pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
    Column.JSON: pa.string(),
}


def as_file(rows: Rows, columns: Mapping[str, Column], form: Format, name: str) -> Response:
    """Return rows as a download; `columns` are those of Parquet, in order."""
    pieces = _parquet(rows, columns) if form is Format.PARQUET else _lines(rows)
    first = next(pieces, b"")
    return StreamingResponse(
        itertools.chain([first], pieces),
        media_type=PARQUET if form is Format.PARQUET else JSONL,
        headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'},
    )


def _lines(rows: Rows) -> Iterator[bytes]:
    for batch in _batches(rows, LINES):
        yield b"".join(to_json(row) + b"\n" for row in batch)


def _parquet(rows: Rows, columns: Mapping[str, Column]) -> Iterator[bytes]:
    schema = pa.schema({name: _TYPES[column] for name, column in columns.items()})
    written = _Written()
    with pq.ParquetWriter(written, schema) as writer:
        for batch in _batches(rows, ROW_GROUP):
            cells = {
                name: [_cell(row.get(name), column) for row in batch] for name, column in columns.items()
            }
            writer.write_table(pa.table(cells, schema=schema))
            yield written.take()
    yield written.take()


class _Written(io.RawIOBase):
    """A file that is never read back: what was written to it is taken away in pieces."""

    def __init__(self) -> None:
        self._piece = bytearray()
        self._taken = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._piece += data
        return len(data)

    def tell(self) -> int:
        return self._taken + len(self._piece)

    def take(self) -> bytes:
        piece, self._piece = bytes(self._piece), bytearray()
        self._taken += len(piece)
        return piece


def _batches(rows: Rows, size: int) -> Iterator[list[dict[str, Any]]]:
    left = iter(rows)
    while batch := list(itertools.islice(left, size)):
        yield batch


def _cell(value: Any, column: Column) -> Any:
    return json.dumps(value, ensure_ascii=False) if column is Column.JSON else value
