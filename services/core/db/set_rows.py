"""Rows of training sets in the database: drawn once a run, before its first training."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.core.datasets.mixing import SetRow
from services.core.datasets.safety import DrawnRow
from services.core.db.phases import Claim, fence
from services.core.db.tables import SetRowRow
from services.core.domain.chat import Message


def save(session: Session, claim: Claim, rows: Sequence[SetRow]) -> None:
    """Write a run's rows under a claim's fence; a repeat changes nothing."""
    fence(session, claim)
    values = [
        {
            "run_id": claim.run_id,
            "position": row.drawn.position,
            "dataset": row.dataset,
            "level": row.level,
            "row_id": row.drawn.id,
            "sha256": row.drawn.sha256,
            "messages": [asdict(message) for message in row.drawn.messages],
        }
        for row in rows
    ]
    session.execute(insert(SetRowRow).on_conflict_do_nothing(), values)


def of_run(session: Session, run_id: str) -> tuple[SetRow, ...]:
    """Return a run's rows in their order; none before its first training."""
    query = select(SetRowRow).where(SetRowRow.run_id == run_id).order_by(SetRowRow.position)
    return tuple(_row(row) for row in session.execute(query).scalars())


def _row(row: SetRowRow) -> SetRow:
    messages = tuple(Message(**message) for message in row.messages)
    return SetRow(row.dataset, row.level, DrawnRow(row.position, row.row_id, 0, row.sha256, messages))
