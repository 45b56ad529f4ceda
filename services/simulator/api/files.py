# pyright: basic
# (pyarrow carries no types)
"""Rows as files: JSON lines that are streamed, Parquet that is written aside and then sent.

A stream that fails half-way is cut off, so that no client takes it for a complete file.
"""

import itertools
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi.responses import FileResponse, StreamingResponse
from pydantic_core import to_json
from starlette.background import BackgroundTask
from starlette.responses import Response

from services.simulator.api.problems import documented

JSONL = "application/jsonl"
PARQUET = "application/vnd.apache.parquet"
ROW_GROUP = 5000
"""Rows of a Parquet file that are in memory at once."""
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
    """A JSON object a line, streamed."""
    PARQUET = "parquet"
    """Columns."""


class Column(StrEnum):
    """What a column of Parquet holds."""

    TEXT = "text"
    NUMBER = "number"
    BIG = "big"
    FLAG = "flag"
    TIME = "time"
    NUMBERS = "numbers"
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
    Column.NUMBERS: pa.list_(pa.int32()),
    Column.MESSAGES: pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
    Column.JSON: pa.string(),
}


def as_file(rows: Rows, columns: Mapping[str, Column], form: Format, name: str) -> Response:
    """Return rows as a download; `columns` are those of Parquet, in order."""
    disposition = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    if form is Format.JSONL:
        lines = (to_json(row) + b"\n" for row in rows)
        return StreamingResponse(lines, media_type=JSONL, headers=disposition)
    path = _write(rows, columns)
    return FileResponse(path, media_type=PARQUET, headers=disposition, background=BackgroundTask(path.unlink))


def _write(rows: Rows, columns: Mapping[str, Column]) -> Path:
    schema = pa.schema({name: _TYPES[column] for name, column in columns.items()})
    handle, name = tempfile.mkstemp(prefix="driftloop-", suffix=".parquet")
    os.close(handle)
    path = Path(name)
    try:
        with pq.ParquetWriter(path, schema) as writer:
            for batch in _batches(rows):
                cells = {
                    name: [_cell(row[name], column) for row in batch] for name, column in columns.items()
                }
                writer.write_table(pa.table(cells, schema=schema))
    except BaseException:
        path.unlink()
        raise
    return path


def _batches(rows: Rows) -> Iterator[list[dict[str, Any]]]:
    left = iter(rows)
    while batch := list(itertools.islice(left, ROW_GROUP)):
        yield batch


def _cell(value: Any, column: Column) -> Any:
    return json.dumps(value, ensure_ascii=False) if column is Column.JSON else value
