"""Keyset pages: an opaque cursor holds the sort key of the last item, so pages neither shift nor slow down."""

import base64
import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Query

from services.core.domain.chat import clean
from services.core.domain.errors import SpecError

MOST = 200
BIGGEST: Final = 2**63 - 1
"""The largest whole number that Postgres keeps."""
_BIGGEST_SMALL: Final = 2**31 - 1
Limit = Annotated[int, Query(ge=1, le=MOST, description="Most items of the page.")]
Cursor = Annotated[
    str | None, Query(max_length=500, description="`next_cursor` of the page before; none for the first.")
]


def encode(*key: datetime | str | float | None) -> str:
    """Return a cursor for a sort key."""
    text = json.dumps(key, default=datetime.isoformat)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, *parts: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Return a cursor's sort key, each part read by `time`, `text`, `whole` … Raises `SpecError` for what this API never gave."""
    try:
        key: list[Any] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return tuple(read(part) for read, part in zip(parts, key, strict=True))
    except (ValueError, TypeError):
        raise SpecError(
            "cursor: is none that this list gave; leave it out to start at the beginning"
        ) from None


def moment(cursor: str | None) -> tuple[datetime, str] | None:
    """Return the key (created_at, id) of a list that is newest first. Raises `SpecError`."""
    if cursor is None:
        return None
    created_at, name = decode(cursor, time, text)
    return created_at, name


def time(part: object) -> datetime:
    """Read a point in time of a cursor."""
    found = datetime.fromisoformat(text(part))
    if found.tzinfo is None:
        raise ValueError(part)
    return found


def text(part: object) -> str:
    """Read a text of a cursor."""
    if not isinstance(part, str) or clean(part) != part:
        raise ValueError(part)
    return part


def whole(part: object) -> int:
    """Read a whole number of a cursor."""
    if not isinstance(part, int) or isinstance(part, bool) or abs(part) > BIGGEST:
        raise ValueError(part)
    return part


def small(part: object) -> int:
    """Read a small whole number of a cursor: a repeat."""
    found = whole(part)
    if abs(found) > _BIGGEST_SMALL:
        raise ValueError(part)
    return found


def score_or_none(part: object) -> float | None:
    """Read a score of a cursor, which may be missing."""
    if part is None:
        return None
    if not isinstance(part, int | float) or isinstance(part, bool) or not abs(part) <= _BIGGEST_SMALL:
        raise ValueError(part)
    return float(part)
