"""Requests that carry an Idempotency-Key, and what they were answered.

A key is claimed by inserting it, so two requests with the same key at the same time are one after the other: the second
waits until the first's transaction ends, and then finds its answer, or, if that was rolled back, the key free. Keys
are forgotten after a day.
"""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.core.db.tables import IdempotentRequest
from services.core.domain.errors import StateConflict

_KEPT = text("interval '1 day'")
_UNANSWERED = 0


@dataclass(frozen=True, slots=True)
class Key:
    """A caller's key, and the sha256 of the request that it was sent with."""

    caller: str
    key: str
    request_sha256: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request was answered."""

    status: int
    response: dict[str, Any]


def claim(session: Session, key: Key) -> Answered | None:
    """Return what this request was answered before; None if this is the first, which must then `keep` its answer.

    Raises `StateConflict` if the key came with another request.
    """
    session.execute(delete(IdempotentRequest).where(IdempotentRequest.created_at < func.now() - _KEPT))
    row: dict[str, Any] = {**asdict(key), "status": _UNANSWERED, "response": {}}
    new = insert(IdempotentRequest).values(row).on_conflict_do_nothing()
    if session.execute(new.returning(IdempotentRequest.key)).scalar_one_or_none() is not None:
        return None
    earlier = session.execute(select(IdempotentRequest).where(*_is(key))).scalar_one_or_none()
    if earlier is None:  # forgotten this very moment
        return claim(session, key)
    if earlier.request_sha256 != key.request_sha256:
        raise StateConflict(
            f"Idempotency-Key: {key.key!r} came with another request; use a key of its own for each"
        )
    return Answered(earlier.status, earlier.response)


def keep(session: Session, key: Key, answer: Answered) -> None:
    """Remember what a request was answered."""
    kept = {"status": answer.status, "response": answer.response}
    session.execute(update(IdempotentRequest).where(*_is(key)).values(kept))


def _is(key: Key):  # SQLAlchemy clauses
    return IdempotentRequest.caller == key.caller, IdempotentRequest.key == key.key
