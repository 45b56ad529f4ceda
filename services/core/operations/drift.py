"""Reading a run's drift: the measures of every round, and their change since the base and since the round before.

Computed from verdicts each time, so it is there from the first measured round on and always says what the database
holds. Only what measures read is fetched: a round with thousands of items takes some tenths of a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from services.core.db import evaluations, runs, trajectories, verdicts
from services.core.db.runs import RunRecord
from services.core.domain.agreement import JudgesAgreement, agreements
from services.core.domain.measures import drift, measures
from services.core.domain.phases import policy_name
from services.core.domain.verdict import Benchmark, Verdict
from services.core.stats.paired import Difference
from services.core.stats.rates import Rate


@dataclass(frozen=True, slots=True)
class RoundDrift:
    """One round's policy, measured."""

    round: int
    policy: str
    evaluation_id: int
    measures: Mapping[str, Rate]
    vs_baseline: Mapping[str, Difference]
    """Empty for round 0."""
    vs_previous: Mapping[str, Difference]
    """Empty for round 0."""
    conversations: Mapping[str, int]
    """How many of the round's conversations are scored, vetoed, unscored, failed; empty for round 0."""
    agreement: Mapping[Benchmark, JudgesAgreement]
    """How far a second judge agrees with the first; empty without one."""


@dataclass(frozen=True, slots=True)
class RunDrift:
    """A run's measured rounds, in order."""

    run: RunRecord
    labels: Mapping[str, Any]
    """The fields that set it apart in its sweep."""
    rounds: tuple[RoundDrift, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """The verdicts of a complete measurement, with what measures read of them."""

    evaluation_id: int
    verdicts: Sequence[Verdict]


def run_drift(session: Session, run_id: str, labels: Mapping[str, Any] | None = None) -> RunDrift:
    """Return the drift of a run's completely measured rounds. Raises `NotFound`, `StateConflict`."""
    run = runs.get_run(session, run_id)
    found = measured_rounds(session, run)
    held = trajectories.counts(session, run.id)
    rounds = (_round(run, found, round_, held.get(round_, {})) for round_ in found)
    return RunDrift(run, labels or {}, tuple(rounds))


def measured_rounds(session: Session, run: RunRecord) -> Mapping[int, Measured]:
    """Return the readings of every round whose measurement is complete."""
    found: dict[int, Measured] = {}
    for round_, evaluation_id in sorted(evaluations.rounds_of(session, run.id).items()):
        measured = complete(session, evaluation_id, run.evaluation_items)
        if measured is not None:
            found[round_] = measured
    return found


def complete(session: Session, evaluation_id: int, items: int) -> Measured | None:
    """Return an evaluation's readings if all its items are judged; all repeats of an item are written together."""
    readings = verdicts.readings_of(session, evaluation_id)
    judged = {(reading.benchmark, reading.subset, reading.item) for reading in readings}
    return Measured(evaluation_id, readings) if len(judged) == items else None


def _round(
    run: RunRecord, found: Mapping[int, Measured], round_: int, conversations: Mapping[str, int]
) -> RoundDrift:
    now, base, before = found[round_], found.get(0), found.get(round_ - 1)
    return RoundDrift(
        round_,
        policy_name(run.id, run.spec.policy, round_),
        now.evaluation_id,
        measures(now.verdicts),
        drift(base.verdicts, now.verdicts) if round_ and base is not None else {},
        drift(before.verdicts, now.verdicts) if before is not None else {},
        conversations,
        agreements(now.verdicts),
    )
