"""Many rows, one after the other, at constant memory: what exports are made of.

A stream reads page after page by key, each in a short transaction: between pages it holds nothing, neither connection nor
snapshot, however slowly its reader takes the rows. Rows that are written meanwhile may or may not be among them; none
comes twice or half changed.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, Engine, any_, cast, select
from sqlalchemy.dialects.postgresql import ARRAY

from services.core.db import evaluations
from services.core.db.session import transaction
from services.core.db.tables import SelectionRow, TrajectoryRow
from services.core.db.trajectory_lists import Filter, Place, ids, selected
from services.core.db.verdicts import VerdictFilter, VerdictPlace, verdicts_of
from services.core.domain.verdict import Verdict

AT_ONCE = 500
"""Rows of a page."""

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


def trajectories(engine: Engine, which: Filter) -> Iterator[dict[str, Any]]:
    """Yield whole trajectories by id, each with its place in the selection."""
    after: Place | None = None
    while page := _trajectories(engine, which, after):
        yield from page
        after = Place(None, page[-1]["id"])


def verdicts(
    engine: Engine, runs: Sequence[str], rounds: Sequence[int], which: VerdictFilter
) -> Iterator[dict[str, Any]]:
    """Yield verdicts by run, round and item, with the replies and the judge's raw text in `detail`.

    No rounds means all. A verdict comes once for each round that it measures: round 0 of many runs is measured once.
    """
    with transaction(engine) as session:
        measured = evaluations.rounds_of_runs(session, runs)
        policies = {
            evaluation: evaluations.policy_of(session, evaluation)
            for found in measured.values()
            for evaluation in found.values()
        }
    for run, found in measured.items():
        for round_, evaluation in found.items():
            if not rounds or round_ in rounds:
                place = {"run": run, "round": round_, "policy": policies[evaluation]}
                yield from (place | _verdict(verdict) for verdict in _judged(engine, evaluation, which))


def _trajectories(engine: Engine, which: Filter, after: Place | None) -> Sequence[dict[str, Any]]:
    with transaction(engine) as session:
        found = ids(session, which, AT_ONCE, after=after)
        query = (
            select(*_TRAJECTORY, *_CHOICE)
            .outerjoin(SelectionRow, selected())
            .where(TrajectoryRow.id == any_(cast(found, ARRAY(BigInteger))))
            .order_by(TrajectoryRow.id)
        )
        return [dict(row) for row in session.execute(query).mappings()]


def _judged(engine: Engine, evaluation_id: int, which: VerdictFilter) -> Iterator[Verdict]:
    after: VerdictPlace | None = None
    while True:
        with transaction(engine) as session:
            page = verdicts_of(session, evaluation_id, which, AT_ONCE, after)
        yield from page
        if len(page) < AT_ONCE:
            return
        last = page[-1]
        after = VerdictPlace(last.benchmark, last.subset, last.item, last.repeat)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "benchmark": verdict.benchmark,
        "subset": verdict.subset,
        "item": verdict.item,
        "repeat": verdict.repeat,
        "outcome": verdict.outcome,
        "scorer": verdict.scorer,
        "scorer_version": verdict.scorer_version,
        "detail": verdict.detail,
    }
