"""Many rows, one after the other, at constant memory: what exports are made of.

Each stream is a transaction of its own on a connection of its own, read through a server-side cursor; it ends, and the connection
with it, when its reader stops.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Select, and_, select

from services.core.db.session import transaction
from services.core.db.tables import Evaluation, RunEvaluation, SelectionRow, TrajectoryRow, VerdictRow
from services.core.db.trajectory_lists import Columns, Filter, matching

AT_ONCE = 500
"""Rows that are fetched at once."""

_TRAJECTORY = (
    TrajectoryRow.id,
    TrajectoryRow.run_id.label("run"),
    TrajectoryRow.round,
    TrajectoryRow.slot,
    TrajectoryRow.scenario,
    TrajectoryRow.profile,
    TrajectoryRow.user_kind,
    TrajectoryRow.policy,
    TrajectoryRow.status,
    TrajectoryRow.cause,
    TrajectoryRow.satisfaction,
    TrajectoryRow.ratings,
    TrajectoryRow.messages,
    TrajectoryRow.calls,
    TrajectoryRow.created_at,
)
_CHOICE = (SelectionRow.label, SelectionRow.rank, SelectionRow.reason)


@dataclass(frozen=True, slots=True)
class VerdictFilter:
    """Which verdicts: those that have one of the values of every field; an empty field means any."""

    runs: tuple[str, ...]
    rounds: tuple[int, ...] = ()
    benchmarks: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()


def trajectories(engine: Engine, which: Filter) -> Iterator[dict[str, Any]]:
    """Yield whole trajectories by id, each with its place in the selection."""
    chosen = and_(
        SelectionRow.run_id == TrajectoryRow.run_id,
        SelectionRow.round == TrajectoryRow.round,
        SelectionRow.slot == TrajectoryRow.slot,
    )
    query = select(*_TRAJECTORY, *_CHOICE).outerjoin(SelectionRow, chosen)
    yield from _rows(engine, matching(query, which).order_by(TrajectoryRow.id))


def verdicts(engine: Engine, which: VerdictFilter) -> Iterator[dict[str, Any]]:
    """Yield verdicts by run, round and item, with the replies and the judge's raw text in `detail`."""
    query = (
        select(
            RunEvaluation.run_id.label("run"),
            RunEvaluation.round,
            Evaluation.policy,
            VerdictRow.benchmark,
            VerdictRow.subset,
            VerdictRow.item,
            VerdictRow.repeat,
            VerdictRow.outcome,
            VerdictRow.scorer,
            VerdictRow.scorer_version,
            VerdictRow.detail,
        )
        .join(Evaluation, Evaluation.id == RunEvaluation.evaluation_id)
        .join(VerdictRow, VerdictRow.evaluation_id == Evaluation.id)
        .where(RunEvaluation.run_id.in_(which.runs))
    )
    wanted: dict[Any, Sequence[Any]] = {
        RunEvaluation.round: which.rounds,
        VerdictRow.benchmark: which.benchmarks,
        VerdictRow.subset: which.subsets,
        VerdictRow.outcome: which.outcomes,
    }
    for column, values in wanted.items():
        if values:
            query = query.where(column.in_(values))
    key = (VerdictRow.benchmark, VerdictRow.subset, VerdictRow.item, VerdictRow.repeat)
    yield from _rows(engine, query.order_by(RunEvaluation.run_id, RunEvaluation.round, *key))


def _rows(engine: Engine, query: Select[*Columns]) -> Iterator[dict[str, Any]]:
    with transaction(engine) as session:
        for row in session.execute(query, execution_options={"yield_per": AT_ONCE}).mappings():
            yield dict(row)
