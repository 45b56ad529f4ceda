"""Verdicts read back: whole ones for people, page by page; and many at once with only what measures need of them.

Their order is that of their natural key (benchmark, subset, item, repeat), which is also what pages go by.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple
from typing import cast as typed

from sqlalchemy import ColumnElement, case, cast, func, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from services.core.db.tables import VerdictRow
from services.core.domain.errors import NotFound
from services.core.domain.measures import READS
from services.core.domain.verdict import OUTCOMES, Benchmark, ScoringProfile, Verdict


@dataclass(frozen=True, slots=True)
class VerdictFilter:
    """Which of an evaluation's verdicts: those that have one of the values of every field; empty means any."""

    benchmarks: tuple[Benchmark, ...] = ()
    subsets: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()


class VerdictPlace(NamedTuple):
    """A verdict's natural key within its evaluation."""

    benchmark: str
    subset: str
    item: str
    repeat: int


def verdicts_of(
    session: Session,
    evaluation_id: int,
    which: VerdictFilter | None = None,
    limit: int | None = None,
    after: VerdictPlace | None = None,
) -> tuple[Verdict, ...]:
    """Return an evaluation's verdicts in order: those of a filter, at most `limit`, behind `after`."""
    conditions = [VerdictRow.evaluation_id == evaluation_id, *_conditions(which or VerdictFilter())]
    if after is not None:
        conditions.append(tuple_(*_KEY) > tuple_(*after))
    return _read(session, VerdictRow.detail, conditions, limit)


def readings_of(session: Session, evaluation_id: int) -> tuple[Verdict, ...]:
    """Return an evaluation's verdicts, of each detail only what measures read: replies and texts stay in the database."""
    return _read(session, _READINGS, [VerdictRow.evaluation_id == evaluation_id])


def get_verdict(session: Session, evaluation_id: int, place: VerdictPlace) -> Verdict:
    """Return one verdict. Raises `NotFound`."""
    key = (VerdictRow.evaluation_id == evaluation_id, tuple_(*_KEY) == tuple_(*place))
    found = _read(session, VerdictRow.detail, key)
    if not found:
        name = ":".join(place[:3])
        raise NotFound(f"evaluation {evaluation_id} has no verdict {name!r} of repeat {place.repeat}")
    return found[0]


def _conditions(which: VerdictFilter) -> Iterator[ColumnElement[bool]]:
    if which.benchmarks:
        yield VerdictRow.benchmark.in_(which.benchmarks)
    if which.subsets:
        yield VerdictRow.subset.in_(which.subsets)
    if which.outcomes:
        yield VerdictRow.outcome.in_(which.outcomes)


_KEY = (VerdictRow.benchmark, VerdictRow.subset, VerdictRow.item, VerdictRow.repeat)


def _parts(keys: Sequence[str]) -> ColumnElement[Any]:
    return func.jsonb_build_object(*chain.from_iterable((key, VerdictRow.detail[key]) for key in keys))


_READINGS = case(
    *((VerdictRow.benchmark == benchmark, _parts(keys)) for benchmark, keys in READS.items()),
    else_=cast({}, JSONB),
)


def _read(
    session: Session,
    detail: Any,
    conditions: Sequence[ColumnElement[bool]],
    limit: int | None = None,
) -> tuple[Verdict, ...]:
    columns = (*_KEY, VerdictRow.outcome, detail, VerdictRow.scorer, VerdictRow.scorer_version)
    query = select(*columns).where(*conditions).order_by(*_KEY).limit(limit)
    return tuple(_verdict(*row) for row in session.execute(query))


def _verdict(  # noqa: PLR0913, PLR0917  # a row's columns
    benchmark: str,
    subset: str,
    item: str,
    repeat: int,
    outcome: str,
    detail: dict[str, Any],
    scorer: str,
    version: str,
) -> Verdict:
    which = Benchmark(benchmark)
    said = OUTCOMES[which](outcome)
    return Verdict(which, subset, item, repeat, said, detail, typed("ScoringProfile", scorer), version)
