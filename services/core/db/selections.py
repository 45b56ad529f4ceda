"""Selections in the database: written once a round, before any training."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.core.db.phases import Claim, fence
from services.core.db.tables import SelectionRow
from services.core.domain.selection import Label, Selected


class RankPlace(NamedTuple):
    """Where a selected trajectory stands in its round."""

    rank: int
    slot: int


def save(session: Session, claim: Claim, selected: Sequence[Selected]) -> None:
    """Write a round's selection under a claim's fence; a repeat changes nothing."""
    fence(session, claim)
    rows = [
        {
            "run_id": claim.run_id,
            "round": claim.round,
            "slot": item.slot,
            "rank": item.rank,
            "score": item.score,
            "label": item.label,
            "reason": item.reason,
        }
        for item in selected
    ]
    if rows:  # in as many statements as it takes: one takes 65,535 values at most
        session.execute(insert(SelectionRow).on_conflict_do_nothing(), rows)


def of_round(session: Session, run_id: str, round_: int) -> tuple[Selected, ...]:
    """Return a round's selection by slot."""
    query = (
        select(SelectionRow)
        .where(SelectionRow.run_id == run_id, SelectionRow.round == round_)
        .order_by(SelectionRow.slot)
    )
    rows = session.execute(query).scalars()
    return tuple(selected_of(row) for row in rows)


def page(
    session: Session,
    run_id: str,
    round_: int,
    labels: Collection[Label] = (),
    limit: int | None = None,
    after: RankPlace | None = None,
) -> tuple[Selected, ...]:
    """Return a round's selection by rank (in pools of scenarios, ranks repeat): under some labels, behind `after`."""
    query = (
        select(SelectionRow)
        .where(SelectionRow.run_id == run_id, SelectionRow.round == round_)
        .order_by(SelectionRow.rank, SelectionRow.slot)
        .limit(limit)
    )
    if labels:
        query = query.where(SelectionRow.label.in_(labels))
    if after is not None:
        query = query.where(tuple_(SelectionRow.rank, SelectionRow.slot) > tuple_(*after))
    return tuple(selected_of(row) for row in session.execute(query).scalars())


def counts(session: Session, run_id: str) -> Mapping[int, Mapping[str, int]]:
    """Return per round how many conversations were chosen, by label."""
    query = (
        select(SelectionRow.round, SelectionRow.label, func.count())
        .where(SelectionRow.run_id == run_id)
        .group_by(SelectionRow.round, SelectionRow.label)
    )
    found: dict[int, dict[str, int]] = {}
    for round_, label, count in session.execute(query):
        found.setdefault(round_, {})[label] = count
    return found


def selected_of(row: SelectionRow) -> Selected:
    """Return a stored selection as the rule made it."""
    return Selected(row.slot, row.rank, row.score, Label(row.label), row.reason)
