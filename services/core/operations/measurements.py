"""Evaluations as people look at them: whom they measure, how far they are, and what they found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy.orm import Session

from services.core.db import evaluations, runs, verdicts
from services.core.db.evaluations import MeasuredRound
from services.core.db.runs import RunRecord
from services.core.domain.agreement import JudgesAgreement, agreements
from services.core.domain.coverage import incomplete
from services.core.domain.measures import measures
from services.core.domain.verdict import Benchmark
from services.core.stats.rates import Rate


class Prompts(NamedTuple):
    """A prompt pack, and which wording of it."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """One policy measured in one way."""

    id: int
    policy: str
    rounds: tuple[MeasuredRound, ...]
    """Which rounds of which runs it measures; runs share that of policy 0."""
    items_judged: int
    items_total: int | None
    """None if no run is left that it measures a round of."""
    measures: Mapping[str, Rate]
    """Of the items judged so far."""
    incomplete: tuple[Benchmark, ...] = ()
    """The benchmarks whose judge failed on more than the spec allows."""
    judges: Mapping[str, str] = field(default_factory=dict[str, str])
    """Who judges what, by the names in the spec; empty if no run is left."""
    prompts: Prompts | None = None
    """What hosted judges are told; None if none judges."""
    second_judge: str | None = None
    """Who read the same replies beside the judges."""
    agreement: Mapping[Benchmark, JudgesAgreement] = field(default_factory=dict[Benchmark, JudgesAgreement])
    """How far the second judge agrees with the first, about each benchmark that it read something of."""

    @property
    def is_complete(self) -> bool:
        """Whether every item is judged."""
        return self.items_total is not None and self.items_judged == self.items_total


def measurement(session: Session, evaluation_id: int) -> Measurement:
    """Return an evaluation. Raises `NotFound`, `StateConflict`."""
    policy = evaluations.policy_of(session, evaluation_id)
    rounds = evaluations.rounds_measured_by(session, evaluation_id)
    run = runs.get_run(session, rounds[0].run_id) if rounds else None
    readings = verdicts.readings_of(session, evaluation_id)
    judged = {(reading.benchmark, reading.subset, reading.item) for reading in readings}
    found = measures(readings)
    return Measurement(
        evaluation_id,
        policy,
        rounds,
        len(judged),
        run and run.evaluation_items,
        found,
        incomplete(found, run.spec.evaluation.judges.max_failures) if run else (),
        run.spec.evaluation.panel if run else {},
        _prompts(run) if run else None,
        run.spec.evaluation.judges.second if run else None,
        agreements(readings),
    )


def _prompts(run: RunRecord) -> Prompts | None:
    sha256 = run.fingerprints.get("prompts")
    return None if sha256 is None else Prompts(run.spec.evaluation.prompts, sha256)
