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
    Select,
    Text,
    TextClause,
    and_,
    any_,
    cast,
    exists,
    func,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONPATH
from sqlalchemy.dialects.postgresql.ext import websearch_to_tsquery
from sqlalchemy.orm import Session

from services.core.db.tables import SelectionRow, TrajectoryRow
from services.core.domain.selection import Label
from services.core.domain.trajectory import RATED, TrajectoryStatus, UserKind

Columns = TypeVarTuple("Columns")
OPENING_CHARACTERS = 200
"""How much of a conversation's first message a list shows."""

_TRYING = 1000
"""What it costs to try whether a row says some words, in rows that their index finds."""
_ALL = text("EXPLAIN (FORMAT JSON) SELECT FROM trajectories")
_OF_RUN = text("EXPLAIN (FORMAT JSON) SELECT FROM trajectories WHERE run_id = :run")
_SAYING = text(
    "EXPLAIN (FORMAT JSON) SELECT FROM trajectories WHERE words @@ websearch_to_tsquery('english', :words)"
)


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


class Search(NamedTuple):
    """How words are looked up in their index."""

    reach: int | None
    """Rows of the list that should hold a page of those that say them; None if that is about all."""


class Place(NamedTuple):
    """Where a row stands in any order."""

    satisfaction: float | None
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
    score_from: float | None = None
    score_to: float | None = None
    words: str | None = None
    """A web search over what both sides said: `plan -doctor "call a friend"`."""

    @property
    def may_be_scored(self) -> bool:
        """Whether any that have a score can be among them."""
        return not self.statuses or not RATED.isdisjoint(self.statuses)

    @property
    def may_lack_a_score(self) -> bool:
        """Whether any that have none can be among them; only those that have one are ever selected."""
        asks_for_one = self.score_from is not None or self.score_to is not None or bool(self.labels)
        return not asks_for_one and (not self.statuses or not RATED.issuperset(self.statuses))


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
    satisfaction: float | None
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
    search = None if which.words is None else _search(session, which, which.words, limit)
    parts = _parts(matching(select(TrajectoryRow.id), which), which, sort, after)
    for part, along in zip(parts, _parts(_along(which), which, sort, after), strict=True):
        wanted = limit - len(found)
        if search is None:
            found += session.execute(part.limit(wanted)).scalars()
        else:
            near = _near(session, part, along, sort, search)
            found += _looked_up(session, part, near, sort, wanted)
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


def _search(session: Session, which: Filter, words: str, limit: int) -> Search | None:
    """Return how words are looked up; None if it is quicker to try rows in the list's order until a page is full.

    Postgres would try them too often: it takes that for cheap, but a row's words have to be fetched and unpacked. How
    often words are said it knows well.
    """
    saying, rows = _expected(session, _SAYING, words=words), _expected(session, _ALL)
    tried = limit * rows / saying
    if saying > _TRYING * tried:
        return None
    held = _expected(session, _OF_RUN, run=which.runs[0]) if len(which.runs) == 1 else rows
    reach = round(3 * tried)
    return Search(reach if reach < held else None)


def _expected(session: Session, query: TextClause, **values: str) -> int:
    """Return how many rows Postgres expects of a query."""
    return session.execute(query, values).scalar_one()[0]["Plan"]["Plan Rows"]


def _near(
    session: Session, part: Select[int], along: Select[int], sort: Sort, search: Search
) -> Select[int] | None:
    """Return the stretch of a part that should hold a page; None if all of it is as good."""
    if search.reach is None:
        return None
    edge = session.execute(
        along.add_columns(TrajectoryRow.satisfaction).offset(search.reach).limit(1)
    ).first()
    if edge is None:
        return None
    column, last = TrajectoryRow.id, edge.id
    if sort.is_by_score and edge.satisfaction is not None:
        column, last = TrajectoryRow.satisfaction, edge.satisfaction
    return part.where(column >= last if sort.is_falling else column <= last)


def _looked_up(
    session: Session, part: Select[int], near: Select[int] | None, sort: Sort, wanted: int
) -> Sequence[int]:
    """Return a part's first ids by the index of words: of the stretch, if it holds so many, else of all.

    Within a stretch most of what the index of words has found is left unread.
    """
    if near is not None:
        found = session.execute(_in_order(near, sort).limit(wanted)).scalars().all()
        if len(found) == wanted:
            return found
    return session.execute(_in_order(part, sort).limit(wanted)).scalars().all()


def _in_order(part: Select[int], sort: Sort) -> Select[int]:
    """Have all of a part found first, and then put in order."""
    found = part.add_columns(TrajectoryRow.satisfaction).order_by(None).cte().prefix_with("MATERIALIZED")
    columns = (found.c.satisfaction, found.c.id) if sort.is_by_score else (found.c.id,)
    return select(found.c.id).order_by(*(column.desc() if sort.is_falling else column for column in columns))


def _along(which: Filter) -> Select[int]:
    """Return what an order's index holds: everything, a run, or a run's round; whatever else is asked."""
    along = select(TrajectoryRow.id)
    if len(which.runs) == 1:
        along = along.where(TrajectoryRow.run_id == which.runs[0])
        if len(which.rounds) == 1:
            along = along.where(TrajectoryRow.round == which.rounds[0])
    return along


def _parts(all_ids: Select[int], which: Filter, sort: Sort, after: Place | None) -> Iterator[Select[int]]:
    """Return the queries whose rows, one after the other, are the list: by score, first those that have one.

    Those that have none are ordered by score too, though it is the same for all, so that the indexes by score give them.
    """
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
    scores = select(first).where(SelectionRow.label == which.labels[0])
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
