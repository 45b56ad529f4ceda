"""Two policies, paired: their drift, and the same held-out people with both.

Only measurements made in the same way can be paired: same items, settings, seed and contents behind the names. What
keeps two apart is said by the fields that differ.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from services.core.db import evaluations, policies, runs
from services.core.db.runs import RunRecord
from services.core.db.verdicts import VerdictFilter, VerdictPlace, verdicts_of
from services.core.domain.errors import NotFound, StateConflict
from services.core.domain.identity import differing, evaluation_identity, evaluation_key
from services.core.domain.measures import TARGETING_GAP, drift, measures
from services.core.domain.phases import policy_name
from services.core.domain.verdict import Benchmark, Verdict
from services.core.operations.drift import Measured, complete
from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.core.stats.rates import EMPTY, Rate


@dataclass(frozen=True, slots=True)
class MeasuredPolicy:
    """A policy and the measurement that is compared."""

    policy: str
    evaluation_id: int
    measures: Mapping[str, Rate]


@dataclass(frozen=True, slots=True)
class PolicyDrift:
    """From one policy to another."""

    base: MeasuredPolicy
    other: MeasuredPolicy
    drift: Mapping[str, Difference]


class Meeting(NamedTuple):
    """A held-out person with both policies."""

    a: Verdict
    b: Verdict


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A run's held-out conversations of two rounds, side by side, and what they say of targeting."""

    run_id: str
    round_a: int
    round_b: int
    policy_a: str
    policy_b: str
    gap_a: Rate
    gap_b: Rate
    change: Difference
    meetings: tuple[Meeting, ...]


def policy_drift(session: Session, base: str, other: str) -> PolicyDrift:
    """Return the drift between two published policies. Raises `NotFound`, and `StateConflict` if they can't be paired."""
    for name in (base, other):
        policies.get_policy(session, name)
    before, after = _both(session, base, other)
    return PolicyDrift(
        MeasuredPolicy(base, before.evaluation_id, measures(before.verdicts)),
        MeasuredPolicy(other, after.evaluation_id, measures(after.verdicts)),
        drift(before.verdicts, after.verdicts),
    )


def is_measured_alike(one: RunRecord, other: RunRecord) -> bool:
    """Whether the rounds of two runs are put to the same items in the same way, so that they can be paired."""
    return evaluation_key(one.spec, one.fingerprints) == evaluation_key(other.spec, other.fingerprints)


def kept_apart_by(one: RunRecord, other: RunRecord) -> tuple[str, ...]:
    """Return the fields in which two runs' measurements differ, and that so keep them from being paired."""
    mine, theirs = (evaluation_identity(run.spec, run.fingerprints) for run in (one, other))
    return tuple(field for field, _, _ in differing(mine, theirs))


def held_out(
    session: Session,
    run_id: str,
    round_a: int,
    round_b: int | None,
    limit: int,
    after: VerdictPlace | None = None,
) -> HeldOut:
    """Return two rounds' held-out conversations (the last wholly measured round's, if `round_b` is None), in order.

    Raises `NotFound` for a run, or a round that is not measured.
    """
    run = runs.get_run(session, run_id)
    rounds = evaluations.rounds_of(session, run.id)
    last = _newest(session, run, rounds) if round_b is None else round_b
    first, second = (_round(session, run, rounds, round_) for round_ in (round_a, last))
    changes = drift(first.verdicts, second.verdicts)
    gap_a, gap_b = (measures(found.verdicts).get(TARGETING_GAP, EMPTY) for found in (first, second))
    return HeldOut(
        run.id,
        round_a,
        last,
        policy_name(run.id, run.spec.policy, round_a),
        policy_name(run.id, run.spec.policy, last),
        gap_a,
        gap_b,
        changes.get(TARGETING_GAP, NO_DIFFERENCE),
        tuple(_meetings(session, first.evaluation_id, second.evaluation_id, limit, after)),
    )


def _newest(session: Session, run: RunRecord, rounds: Mapping[int, int]) -> int:
    judged = evaluations.judged_items(session, rounds.values())
    whole = (round_ for round_, found in rounds.items() if judged.get(found) == run.evaluation_items)
    return max(whole, default=0)


def _round(session: Session, run: RunRecord, rounds: Mapping[int, int], round_: int) -> Measured:
    found = complete(session, rounds[round_], run.evaluation_items) if round_ in rounds else None
    if found is None:
        raise NotFound(f"round {round_} of run {run.id} is not measured; its drift lists the rounds that are")
    return found


def _meetings(
    session: Session, first: int, second: int, limit: int, after: VerdictPlace | None
) -> Iterator[Meeting]:
    which = VerdictFilter(benchmarks=(Benchmark.HELD_OUT,))
    # One run's rounds are put to the same items, so equal places hold equal people.
    both = (verdicts_of(session, evaluation, which, limit, after) for evaluation in (first, second))
    before, now = ({(one.key, one.repeat): one for one in found} for found in both)
    return (Meeting(one, now[key]) for key, one in before.items() if key in now)


def _both(session: Session, base: str, other: str) -> tuple[Measured, Measured]:
    """Return the newest complete measurements that were made alike."""
    mine, theirs = (evaluations.of_policy(session, name) for name in (base, other))
    for name, found in ((base, mine), (other, theirs)):
        if not found:
            raise StateConflict(f"policy {name} has not been measured")
    alike = [key for key in mine if key in theirs]
    if not alike:
        raise StateConflict(_apart(session, base, other, mine.values(), theirs.values()))
    for key in reversed(alike):
        first, second = _whole(session, mine[key]), _whole(session, theirs[key])
        if first is not None and second is not None:
            return first, second
    raise StateConflict(f"policies {base} and {other} are not wholly measured yet; try again when they are")


def _whole(session: Session, evaluation_id: int) -> Measured | None:
    run = _measured_run(session, evaluation_id)
    return None if run is None else complete(session, evaluation_id, run.evaluation_items)


def _measured_run(session: Session, evaluation_id: int) -> RunRecord | None:
    """Return a run that an evaluation measures a round of; None if all of them are deleted."""
    rounds = evaluations.rounds_measured_by(session, evaluation_id)
    return runs.get_run(session, rounds[0].run_id) if rounds else None


def _apart(session: Session, base: str, other: str, mine: Any, theirs: Any) -> str:
    """Say which fields keep two policies apart: those of the measurements that differ least."""
    sides = [
        [evaluation_identity(run.spec, run.fingerprints) for run in _runs(session, found)]
        for found in (mine, theirs)
    ]
    fields_apart = [
        [f"{field}: {value} and {other}" for field, value, other in differing(one, two)]
        for one in sides[0]
        for two in sides[1]
    ]
    fields = ", ".join(min(fields_apart, key=len)) if fields_apart else "their runs are gone"
    return f"policies {base} and {other} were measured differently ({fields}), so their items can't be paired"


def _runs(session: Session, found: Any) -> Iterator[RunRecord]:
    for evaluation_id in found:
        run = _measured_run(session, evaluation_id)
        if run is not None:
            yield run
