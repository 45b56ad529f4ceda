"""Evaluations and their verdicts in the database.

An evaluation is one policy measured in one way. Runs that share a base and settings share the evaluation of policy
0, so it belongs to no run; a run's rounds point to theirs.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import Session

from services.core.db.phases import Claim, fence
from services.core.db.tables import Evaluation, Phase, Run, RunEvaluation, VerdictRow
from services.core.domain.errors import NotFound
from services.core.domain.phases import PhaseName
from services.core.domain.verdict import ERRORS, OUTCOMES, Benchmark, ScoringProfile, Verdict, item_key


class MeasuredRound(NamedTuple):
    """A round of a run that an evaluation measures."""

    run_id: str
    round: int


class Work(NamedTuple):
    """What workers have done at an evaluation; whoever writes verdicts raises one or the other."""

    claims: int
    items: int


def ensure(session: Session, claim: Claim, policy: str, key: str) -> int:
    """Return the evaluation of `policy` under `key`, made if need be, as that of the claim's round."""
    fence(session, claim)
    session.execute(insert(Evaluation).values(policy=policy, key=key).on_conflict_do_nothing())
    query = select(Evaluation.id).where(Evaluation.policy == policy, Evaluation.key == key)
    evaluation_id = session.execute(query).scalar_one()
    link = {"run_id": claim.run_id, "round": claim.round, "evaluation_id": evaluation_id}
    session.execute(insert(RunEvaluation).values(link).on_conflict_do_nothing())
    return evaluation_id


def save(session: Session, claim: Claim, evaluation_id: int, verdicts: Sequence[Verdict]) -> None:
    """Write verdicts under a claim's fence; those already there stay as they are, but failed ones give way to any that did not fail."""
    fence(session, claim)
    rows = [
        {
            "evaluation_id": evaluation_id,
            "benchmark": verdict.benchmark,
            "subset": verdict.subset,
            "item": verdict.item,
            "repeat": verdict.repeat,
            "outcome": verdict.outcome,
            "detail": dict(verdict.detail),
            "scorer": verdict.scorer,
            "scorer_version": verdict.scorer_version,
        }
        for verdict in verdicts
    ]
    if rows:
        session.execute(_replacing_failed(rows))


def _replacing_failed(rows: Sequence[dict[str, Any]]) -> Insert:
    new = insert(VerdictRow).values(rows)
    said = {name: new.excluded[name] for name in ("outcome", "detail", "scorer", "scorer_version")}
    return new.on_conflict_do_update(
        index_elements=["evaluation_id", "benchmark", "subset", "item", "repeat"],
        set_=said | {"created_at": func.now()},
        where=_failed(VerdictRow.outcome, VerdictRow.detail)
        & ~_failed(new.excluded.outcome, new.excluded.detail),
    )


def _failed(outcome: Any, detail: Any) -> ColumnElement[bool]:
    """Whether a reply or a ruling could not be had, whatever the outcome (`reference` makes some of a judge that failed)."""
    return or_(outcome.in_(ERRORS), func.coalesce(detail["judge_failed"].as_boolean(), False))


def stored_items(session: Session, evaluation_id: int) -> frozenset[str]:
    """Return the keys of the items that have a verdict; all repeats of an item are written together."""
    query = select(VerdictRow.benchmark, VerdictRow.subset, VerdictRow.item).where(
        VerdictRow.evaluation_id == evaluation_id
    )
    return frozenset(item_key(Benchmark(row[0]), row[1], row[2]) for row in session.execute(query.distinct()))


def settled_items(session: Session, evaluation_id: int) -> frozenset[str]:
    """Return the keys of the items that have verdicts, none of them failed."""
    key = (VerdictRow.benchmark, VerdictRow.subset, VerdictRow.item)
    failed = func.bool_or(_failed(VerdictRow.outcome, VerdictRow.detail))
    query = select(*key).where(VerdictRow.evaluation_id == evaluation_id).group_by(*key).having(~failed)
    return frozenset(item_key(Benchmark(row[0]), row[1], row[2]) for row in session.execute(query))


def count_failed(session: Session, evaluation_id: int) -> int:
    """Return how many verdicts failed."""
    failed = _failed(VerdictRow.outcome, VerdictRow.detail)
    query = select(func.count()).where(VerdictRow.evaluation_id == evaluation_id, failed)
    return session.execute(query).scalar_one()


def rounds_of(session: Session, run_id: str) -> Mapping[int, int]:
    """Return the evaluation of each measured or half-measured round of a run."""
    query = select(RunEvaluation.round, RunEvaluation.evaluation_id).where(RunEvaluation.run_id == run_id)
    return {row[0]: row[1] for row in session.execute(query)}


def rounds_of_runs(session: Session, run_ids: Collection[str]) -> Mapping[str, Mapping[int, int]]:
    """Return the evaluation of each measured or half-measured round of many runs: run → round → evaluation."""
    query = (
        select(RunEvaluation.run_id, RunEvaluation.round, RunEvaluation.evaluation_id)
        .where(RunEvaluation.run_id.in_(run_ids))
        .order_by(RunEvaluation.run_id, RunEvaluation.round)
    )
    found: dict[str, dict[int, int]] = {run_id: {} for run_id in run_ids}
    for run_id, round_, evaluation_id in session.execute(query):
        found[run_id][round_] = evaluation_id
    return found


def judged_items(session: Session, evaluation_ids: Collection[int]) -> Mapping[int, int]:
    """Return how many items of evaluations have a verdict; all repeats of an item are written together."""
    items = (
        select(VerdictRow.evaluation_id, VerdictRow.benchmark, VerdictRow.subset, VerdictRow.item)
        .where(VerdictRow.evaluation_id.in_(evaluation_ids))
        .distinct()
        .subquery()
    )
    query = select(items.c.evaluation_id, func.count()).group_by(items.c.evaluation_id)
    return {row[0]: row[1] for row in session.execute(query)} if evaluation_ids else {}


def work_on(session: Session, evaluation_ids: Collection[int]) -> Mapping[int, Work]:
    """Return how much workers have done at evaluations, over all runs that share them. Reads no verdict."""
    query = (
        select(RunEvaluation.evaluation_id, func.sum(Phase.attempt), func.sum(Phase.units_done))
        .outerjoin(
            Phase,
            (Phase.run_id == RunEvaluation.run_id)
            & (Phase.round == RunEvaluation.round)
            & (Phase.name == PhaseName.EVALUATE),
        )
        .where(RunEvaluation.evaluation_id.in_(evaluation_ids))
        .group_by(RunEvaluation.evaluation_id)
    )
    rows = session.execute(query) if evaluation_ids else ()
    return {row[0]: Work(row[1] or 0, row[2] or 0) for row in rows}


def outcomes_of(
    session: Session, evaluation_ids: Collection[int], benchmark: Benchmark
) -> Mapping[int, Sequence[Verdict]]:
    """Return the verdicts of one benchmark in several evaluations without their details, which take long to read."""
    query = select(
        VerdictRow.evaluation_id,
        VerdictRow.subset,
        VerdictRow.item,
        VerdictRow.repeat,
        VerdictRow.outcome,
        VerdictRow.scorer,
        VerdictRow.scorer_version,
    ).where(VerdictRow.evaluation_id.in_(evaluation_ids), VerdictRow.benchmark == benchmark)
    found: dict[int, list[Verdict]] = {evaluation_id: [] for evaluation_id in evaluation_ids}
    for row in session.execute(query) if found else ():
        outcome, scorer = OUTCOMES[benchmark](row.outcome), cast("ScoringProfile", row.scorer)
        found[row.evaluation_id].append(
            Verdict(benchmark, row.subset, row.item, row.repeat, outcome, {}, scorer, row.scorer_version)
        )
    return found


def rounds_measured_by(session: Session, evaluation_id: int) -> tuple[MeasuredRound, ...]:
    """Return the rounds of runs that an evaluation measures, the oldest run first."""
    query = (
        select(RunEvaluation.run_id, RunEvaluation.round)
        .join(Run, Run.id == RunEvaluation.run_id)
        .where(RunEvaluation.evaluation_id == evaluation_id)
        .order_by(Run.created_at, Run.id, RunEvaluation.round)
    )
    return tuple(MeasuredRound(*row) for row in session.execute(query))


def of_policy(session: Session, policy: str) -> Mapping[str, int]:
    """Return a policy's evaluations by key: each way that it was, or is being, measured in."""
    query = select(Evaluation.key, Evaluation.id).where(Evaluation.policy == policy).order_by(Evaluation.id)
    return {row[0]: row[1] for row in session.execute(query)}


def policy_of(session: Session, evaluation_id: int) -> str:
    """Return whom an evaluation measures. Raises `NotFound`."""
    found = session.get(Evaluation, evaluation_id)
    if found is None:
        raise NotFound(f"there is no evaluation {evaluation_id}; a run's evaluations list those that exist")
    return found.policy
