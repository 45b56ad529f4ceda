"""Which trajectories: one filter, one order, one query for every list, page and export.

Pages are keyset pages: each starts behind the last row of the one before, so they neither shift nor slow down while rows are
added. A page's ids are found first, from indexes alone where it can be, and only then are its rows read.

In either order by score those without a score come last.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeVarTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    any_,
    cast,
    exists,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONPATH
from sqlalchemy.dialects.postgresql.ext import websearch_to_tsquery
from sqlalchemy.orm import Session

from services.core.db.tables import SelectionRow, TrajectoryRow
from services.core.domain.selection import Label
from services.core.domain.trajectory import TrajectoryStatus, UserKind

Columns = TypeVarTuple("Columns")
OPENING_CHARACTERS = 200
"""How much of a conversation's first message a list shows."""


class Sort(StrEnum):
    """The order of a list."""

    OLDEST = "id"
    NEWEST = "-id"
    WORST = "score"
    BEST = "-score"

    @property
    def is_by_score(self) -> bool:
        """Whether satisfaction decides, and the id only between equals."""
        return self in {Sort.WORST, Sort.BEST}

    @property
    def is_falling(self) -> bool:
        """Whether the largest comes first."""
        return self.value.startswith("-")


class Place(NamedTuple):
    """Where a row stands in any order."""

    satisfaction: int | None
    id: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which trajectories: those that have one of the values of every field; an empty field means any."""

    runs: tuple[str, ...] = ()
    rounds: tuple[int, ...] = ()
    scenarios: tuple[str, ...] = ()
    user_kinds: tuple[UserKind, ...] = ()
    statuses: tuple[TrajectoryStatus, ...] = ()
    policies: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    """Only those selected under one of these labels."""
    score_from: int | None = None
    score_to: int | None = None
    words: str | None = None
    """A web search over what both sides said: `plan -doctor "call a friend"`."""

    @property
    def may_be_scored(self) -> bool:
        """Whether any that have a score can be among them."""
        return not self.statuses or TrajectoryStatus.SCORED in self.statuses

    @property
    def may_lack_a_score(self) -> bool:
        """Whether any that have none can be among them; only those that have one are ever selected."""
        asks_for_one = self.score_from is not None or self.score_to is not None or bool(self.labels)
        return not asks_for_one and set(self.statuses) != {TrajectoryStatus.SCORED}


@dataclass(frozen=True, slots=True)
class Summary:
    """A trajectory in a list."""

    id: int
    run_id: str
    round: int
    slot: int
    scenario: str
    profile: str
    user_kind: str
    policy: str
    status: str
    cause: str | None
    satisfaction: int | None
    label: str | None
    opening: str
    """The beginning of the first message that the user said."""
    created_at: datetime

    @property
    def place(self) -> Place:
        """Where it stands, for the page that follows it."""
        return Place(self.satisfaction, self.id)


def summaries(
    session: Session,
    which: Filter,
    limit: int,
    sort: Sort = Sort.OLDEST,
    after: Place | None = None,
) -> tuple[Summary, ...]:
    """List trajectories in an order: at most `limit`, behind `after`."""
    found = ids(session, which, limit, sort, after)
    rows = {row.id: row for row in _read(session, found)}
    return tuple(rows[id_] for id_ in found if id_ in rows)


def ids(
    session: Session, which: Filter, limit: int, sort: Sort = Sort.OLDEST, after: Place | None = None
) -> tuple[int, ...]:
    """Return the ids of a page."""
    found: list[int] = []
    for part in _parts(which, sort, after):
        found += session.execute(part.limit(limit - len(found))).scalars()
        if len(found) == limit:
            break
    return tuple(found)


def has_words(session: Session, words: str) -> bool:
    """Return whether a web search holds any word that is searched for: `the` and its like are not."""
    return bool(session.execute(select(func.numnode(websearch_to_tsquery("english", words)))).scalar_one())


def matching(query: Select[*Columns], which: Filter) -> Select[*Columns]:
    """Narrow a query over trajectories to those of a filter."""
    return query.where(*_conditions(which))


def selected() -> ColumnElement[bool]:
    """Return the join of a trajectory with its selection."""
    return and_(
        SelectionRow.run_id == TrajectoryRow.run_id,
        SelectionRow.round == TrajectoryRow.round,
        SelectionRow.slot == TrajectoryRow.slot,
    )


def _parts(which: Filter, sort: Sort, after: Place | None) -> Iterator[Select[int]]:
    """Return the queries whose rows, one after the other, are the list: by score, first those that have one.

    Those that have none are ordered by score too, though it is the same for all, so that the indexes by score give them.
    """
    all_ids = matching(select(TrajectoryRow.id), which)
    score, id_ = TrajectoryRow.satisfaction, TrajectoryRow.id
    if not sort.is_by_score and which.may_be_scored:
        yield _keyset(all_ids, sort, (id_,), after and (after.id,))
        return
    if which.may_be_scored and (after is None or after.satisfaction is not None):
        key = after and (after.satisfaction, after.id)
        scored = all_ids.where(score.is_not(None), *_bounds(which, sort))
        yield _keyset(scored, sort, (score, id_), key)
        after = None
    if which.may_lack_a_score:
        yield _keyset(all_ids.where(score.is_(None)), sort, (score, id_), after and (after.id,))


def _bounds(which: Filter, sort: Sort) -> Iterator[ColumnElement[bool]]:
    """Begin a list by score with the first score that was selected: those before may be most of all."""
    if len(which.labels) != 1 or len(which.runs) > 1:
        return
    first = func.max(SelectionRow.score) if sort.is_falling else func.min(SelectionRow.score)
    scores = select(cast(first, Integer)).where(SelectionRow.label == which.labels[0])
    if which.runs:
        scores = scores.where(SelectionRow.run_id == which.runs[0])
    edge = scores.scalar_subquery()
    yield TrajectoryRow.satisfaction <= edge if sort.is_falling else TrajectoryRow.satisfaction >= edge


def _keyset(
    query: Select[int], sort: Sort, columns: Sequence[Any], after: Sequence[Any] | None
) -> Select[int]:
    """Order by columns, behind a key of all or the last of them."""
    if after is not None:
        here, there = tuple_(*columns[-len(after) :]), tuple_(*after)
        query = query.where(here < there if sort.is_falling else here > there)
    return query.order_by(*(column.desc() if sort.is_falling else column for column in columns))


def _conditions(which: Filter) -> Iterator[ColumnElement[bool]]:
    lists: Sequence[tuple[Any, tuple[Any, ...]]] = (
        (TrajectoryRow.run_id, which.runs),
        (TrajectoryRow.round, which.rounds),
        (TrajectoryRow.scenario, which.scenarios),
        (TrajectoryRow.user_kind, which.user_kinds),
        (TrajectoryRow.status, which.statuses),
        (TrajectoryRow.policy, which.policies),
    )
    for column, values in lists:
        if values:
            yield column == values[0] if len(values) == 1 else column.in_(values)
    if which.labels:
        yield exists().where(selected(), SelectionRow.label.in_(which.labels))
    if which.score_from is not None:
        yield TrajectoryRow.satisfaction >= which.score_from
    if which.score_to is not None:
        yield TrajectoryRow.satisfaction <= which.score_to
    if which.words is not None:
        yield TrajectoryRow.words.bool_op("@@")(websearch_to_tsquery("english", which.words))


def _read(session: Session, found: Sequence[int]) -> Iterator[Summary]:
    first_said = cast('$[*] ? (@."role" == "user")."content"', JSONPATH)
    opening = func.jsonb_path_query_first(TrajectoryRow.messages, first_said).op("#>>")(cast([], ARRAY(Text)))
    query = (
        select(
            TrajectoryRow.id,
            TrajectoryRow.run_id,
            TrajectoryRow.round,
            TrajectoryRow.slot,
            TrajectoryRow.scenario,
            TrajectoryRow.profile,
            TrajectoryRow.user_kind,
            TrajectoryRow.policy,
            TrajectoryRow.status,
            TrajectoryRow.cause,
            TrajectoryRow.satisfaction,
            SelectionRow.label,
            func.coalesce(func.left(opening, OPENING_CHARACTERS), ""),
            TrajectoryRow.created_at,
        )
        .outerjoin(SelectionRow, selected())
        .where(TrajectoryRow.id == any_(cast(found, ARRAY(BigInteger))))
    )
    return (Summary(*row) for row in session.execute(query))
