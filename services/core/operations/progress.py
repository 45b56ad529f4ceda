"""How far a run is, as a person wants to know it: which phase of which round, a fraction of the whole, how long yet.

What is left is told in seconds from observed rates, and None where nothing has been observed: a phase goes on as fast as its
shards did in the last minutes, or takes as long as the same phase took in the round before; a run takes the sum of what
is left of its phases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.core.db import shards
from services.core.db.runs import RunRecord
from services.core.db.shards import PhaseTotals, Step
from services.core.domain.phases import PhaseName, RunStatus, steps_of

# Rough shares of a round's time; they only make the bar move evenly.
_WEIGHTS = {
    PhaseName.SIMULATE: 0.40,
    PhaseName.SELECT: 0.02,
    PhaseName.TRAIN: 0.25,
    PhaseName.PUBLISH: 0.03,
    PhaseName.EVALUATE: 0.30,
}
RECENT_S = 600.0
"""A speed observed longer ago is none: the run was interrupted since."""


@dataclass(frozen=True, slots=True)
class RunProgress:
    """A run's state at a glance."""

    run_id: str
    name: str
    status: RunStatus
    error: str | None
    rounds: int
    phases: tuple[PhaseTotals, ...]
    steps: tuple[PhaseName, ...] = tuple(PhaseName)
    """The phases of a round after round 0."""

    @property
    def current(self) -> PhaseTotals | None:
        """The phase being worked, or None before the first and after the last."""
        return next((phase for phase in self.phases if not phase.is_done), None)

    @property
    def fraction(self) -> float:
        """The share of the whole run that is done, 0 to 1."""
        if self.status is RunStatus.SUCCEEDED:
            return 1.0
        done = sum(_WEIGHTS[phase.name] * phase.fraction for phase in self.phases)
        each = sum(_WEIGHTS[name] for name in self.steps)
        return done / (self.rounds * each + _WEIGHTS[PhaseName.EVALUATE])


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left to do, in seconds; None where nothing tells."""

    phase_s: float | None
    run_s: float | None


def progress_of(session: Session, found: Sequence[RunRecord]) -> tuple[RunProgress, ...]:
    """Return the progress of some runs, in the order given."""
    by_run: dict[str, list[PhaseTotals]] = {run.id: [] for run in found}
    for phase in shards.totals(session, list(by_run)):
        by_run[phase.run_id].append(phase)
    return tuple(_run_progress(run, by_run[run.id]) for run in found)


def remaining(session: Session, progress: RunProgress) -> Remaining:
    """Return how long the current phase and the run will take, if they go on as they did."""
    current = progress.current
    if progress.status is not RunStatus.RUNNING or current is None:
        return Remaining(None, None)
    took = observed(progress.phases)
    steps = shards.recent_steps(session, progress.run_id, current.round, current.name)
    speed = units_per_s(steps)
    phase_s = _left(current, speed, took.get(current.name))
    return Remaining(phase_s, _sum_of_rest(progress, current, phase_s, took))


def units_per_s(steps: Sequence[Step]) -> float | None:
    """Return how fast a phase's shards came on together lately; None if they did not.

    A shard claimed lately has done all its units since; of another, only what was seen to be added counts.
    """
    recent = [step for step in steps if step.age_s <= RECENT_S]
    first = {step.shard: step for step in reversed(recent)}
    last = {step.shard: step for step in recent}
    news = {shard for shard, step in first.items() if step.began_s <= RECENT_S}
    done = sum(last[shard].units_done - (0 if shard in news else first[shard].units_done) for shard in first)
    since_s = max(
        (step.began_s if step.shard in news else step.age_s for step in first.values()), default=0.0
    )
    return done / since_s if done > 0 and since_s > 0 else None


def observed(phases: Sequence[PhaseTotals]) -> Mapping[PhaseName, float]:
    """Return how long each kind of phase took when it was last seen.

    Round 0's evaluation may have been shared with another run and taken no time, so it tells nothing.
    """
    return {phase.name: phase.took_s for phase in phases if phase.round > 0 and phase.took_s is not None}


def _left(phase: PhaseTotals, speed: float | None, took_s: float | None) -> float | None:
    if speed is not None:
        return (phase.units_total - phase.units_done) / speed
    return None if took_s is None else took_s * (1 - phase.fraction)


def _sum_of_rest(
    progress: RunProgress, current: PhaseTotals, phase_s: float | None, took: Mapping[PhaseName, float]
) -> float | None:
    order = list(progress.steps)
    later = order[order.index(current.name) + 1 :] if current.round else []
    steps = [(current.round, name) for name in later]
    steps += [(round_, name) for round_ in range(current.round + 1, progress.rounds + 1) for name in order]
    # Where a round is measured again, what follows it may be done.
    done = {(phase.round, phase.name) for phase in progress.phases if phase.is_done}
    rest = [name for round_, name in steps if (round_, name) not in done]
    if phase_s is None or any(name not in took for name in rest):
        return None
    return phase_s + sum(took[name] for name in rest)


def _run_progress(run: RunRecord, phases: Sequence[PhaseTotals]) -> RunProgress:
    return RunProgress(
        run.id, run.name, run.status, run.error, run.spec.rounds, tuple(phases), steps_of(run.spec)
    )
