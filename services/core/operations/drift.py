"""Reading a run's drift: the measures of every round, and their change since the base and since the round before.

Computed from verdicts each time, so it is there from the first measured round on and always says what the database
holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from services.core.db import evaluations, runs, trajectories
from services.core.db.runs import RunRecord
from services.core.domain.measures import drift, measures
from services.core.domain.phases import policy_name
from services.core.domain.verdict import Verdict
from services.core.stats.paired import Difference
from services.core.stats.rates import Rate


@dataclass(frozen=True, slots=True)
class RoundDrift:
    """One round's policy, measured."""

    round: int
    policy: str
    measures: Mapping[str, Rate]
    vs_baseline: Mapping[str, Difference]
    """Empty for round 0."""
    vs_previous: Mapping[str, Difference]
    """Empty for round 0."""
    conversations: Mapping[str, int]
    """How many of the round's conversations are scored, unscored, failed; empty for round 0."""


@dataclass(frozen=True, slots=True)
class RunDrift:
    """A run's measured rounds, in order."""

    run: RunRecord
    labels: Mapping[str, Any]
    """The fields that set it apart in its sweep."""
    rounds: tuple[RoundDrift, ...]


def run_drift(session: Session, run_id: str, labels: Mapping[str, Any] | None = None) -> RunDrift:
    """Return the drift of a run's completely measured rounds. Raises `NotFound`."""
    run = runs.get_run(session, run_id)
    verdicts = round_verdicts(session, run)
    held = trajectories.counts(session, run.id)
    found: list[RoundDrift] = []
    for round_, now in verdicts.items():
        before = verdicts.get(round_ - 1)
        found.append(
            RoundDrift(
                round_,
                policy_name(run.id, run.spec.policy, round_),
                measures(now),
                drift(verdicts[0], now) if round_ and 0 in verdicts else {},
                drift(before, now) if before is not None else {},
                held.get(round_, {}),
            )
        )
    return RunDrift(run, labels or {}, tuple(found))


def round_verdicts(session: Session, run: RunRecord) -> Mapping[int, Sequence[Verdict]]:
    """Return the verdicts of every round whose measurement is complete."""
    found: dict[int, Sequence[Verdict]] = {}
    for round_, evaluation_id in sorted(evaluations.rounds_of(session, run.id).items()):
        if len(evaluations.stored_items(session, evaluation_id)) == run.evaluation_items:
            found[round_] = evaluations.verdicts_of(session, evaluation_id)
    return found
