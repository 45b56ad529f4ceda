"""Bearer tokens in the database: only their sha256 is stored, so reading the table lets nobody in.

A token is 256 random bits, so a plain hash is enough; slow hashes are for what people think up.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.core.db.tables import Token
from services.core.domain.access import Scope
from services.core.domain.errors import NotFound, StateConflict

_PREFIX = "dl_"
_NO_TOKEN = "there is no token {!r}; `driftloop tokens list` shows those that exist"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as listed: never the secret."""

    name: str
    scope: Scope
    created_at: datetime


def create(session: Session, name: str, scope: Scope) -> str:
    """Make a token and return its secret, which is shown this once. Raises `StateConflict` for a used name."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    row = {"name": name, "sha256": _sha256(secret), "scope": scope}
    made = session.execute(insert(Token).values(row).on_conflict_do_nothing().returning(Token.name))
    if made.scalar_one_or_none() is None:
        raise StateConflict(
            f"name: there is a token {name!r} already; use another name, or revoke that one first"
        )
    return secret


def renew(session: Session, name: str) -> str:
    """Give a token another secret, and return it; the one before is worthless. Raises `NotFound`."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    row = update(Token).where(Token.name == name).values(sha256=_sha256(secret)).returning(Token.name)
    if session.execute(row).scalar_one_or_none() is None:
        raise NotFound(_NO_TOKEN.format(name))
    return secret


def find(session: Session, secret: str) -> TokenRecord | None:
    """Return whose secret this is, or None."""
    row = session.execute(select(Token).where(Token.sha256 == _sha256(secret))).scalar_one_or_none()
    return None if row is None else _record(row)


def get(session: Session, name: str) -> TokenRecord:
    """Return a token by its name. Raises `NotFound`."""
    row = session.get(Token, name)
    if row is None:
        raise NotFound(_NO_TOKEN.format(name))
    return _record(row)


def list_tokens(session: Session) -> tuple[TokenRecord, ...]:
    """Return all tokens, oldest first."""
    return tuple(_record(row) for row in session.execute(select(Token).order_by(Token.created_at)).scalars())


def revoke(session: Session, name: str) -> None:
    """Remove a token. Raises `NotFound`."""
    gone = session.execute(delete(Token).where(Token.name == name).returning(Token.name))
    if gone.scalar_one_or_none() is None:
        raise NotFound(_NO_TOKEN.format(name))


def _record(row: Token) -> TokenRecord:
    return TokenRecord(row.name, Scope(row.scope), row.created_at)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
