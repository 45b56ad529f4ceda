"""Safety rows in the database: drawn once a round, with its selection, before any training."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.core.datasets.safety import DrawnRow
from services.core.db.phases import Claim, fence
from services.core.db.tables import SafetyRow
from services.core.domain.chat import Message


class SafetyCount(NamedTuple):
    """A round's safety rows."""

    rows: int
    repeated: int
    """Of these, those that were drawn again because the file has too few."""


NO_ROWS = SafetyCount(0, 0)


def save(session: Session, claim: Claim, drawn: Sequence[DrawnRow]) -> None:
    """Write a round's safety rows under a claim's fence; a repeat changes nothing."""
    fence(session, claim)
    rows = [
        {
            "run_id": claim.run_id,
            "round": claim.round,
            "position": row.position,
            "row_id": row.id,
            "copy": row.copy,
            "sha256": row.sha256,
            "messages": [asdict(message) for message in row.messages],
        }
        for row in drawn
    ]
    if rows:  # in as many statements as it takes
        session.execute(insert(SafetyRow).on_conflict_do_nothing(), rows)


def of_round(session: Session, run_id: str, round_: int) -> tuple[DrawnRow, ...]:
    """Return a round's safety rows in the order of their draw."""
    query = (
        select(SafetyRow)
        .where(SafetyRow.run_id == run_id, SafetyRow.round == round_)
        .order_by(SafetyRow.position)
    )
    return tuple(_drawn(row) for row in session.execute(query).scalars())


def counts(session: Session, run_id: str) -> Mapping[int, SafetyCount]:
    """Return per round how many safety rows train."""
    again = func.count().filter(SafetyRow.copy > 0)
    query = (
        select(SafetyRow.round, func.count(), again)
        .where(SafetyRow.run_id == run_id)
        .group_by(SafetyRow.round)
    )
    return {round_: SafetyCount(rows, repeated) for round_, rows, repeated in session.execute(query)}


def _drawn(row: SafetyRow) -> DrawnRow:
    messages = tuple(Message(**message) for message in row.messages)
    return DrawnRow(row.position, row.row_id, row.copy, row.sha256, messages)
