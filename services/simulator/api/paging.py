"""Keyset pages: an opaque cursor holds the sort key of the last item, so pages neither shift nor slow down."""

import base64
import json
from typing import Annotated, Any

from fastapi import Query

from services.core.domain.errors import SpecError

MOST = 200
Limit = Annotated[int, Query(ge=1, le=MOST, description="Most items of the page.")]
Cursor = Annotated[
    str | None, Query(max_length=500, description="`next_cursor` of the page before; none for the first.")
]


def encode(*key: Any) -> str:
    """Return a cursor for a sort key of JSON values."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode(cursor: str, length: int) -> tuple[Any, ...]:
    """Return a cursor's sort key. Raises `SpecError` for what this API never gave."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        key = None
    if not isinstance(key, list) or len(key) != length:  # pyright: ignore[reportUnknownArgumentType]
        raise SpecError("cursor: is none that this list gave; leave it out to start at the beginning")
    return tuple(key)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
