"""How far a run is, as a person wants to know it: which phase of which round, and a fraction of the whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.core.db import phases, runs
from services.core.db.tables import Phase
from services.core.domain.phases import PhaseName, RunStatus, ShardStatus

# Rough shares of a round's time; they only make the bar move evenly.
_WEIGHTS = {
    PhaseName.SIMULATE: 0.40,
    PhaseName.SELECT: 0.02,
    PhaseName.TRAIN: 0.25,
    PhaseName.PUBLISH: 0.03,
    PhaseName.EVALUATE: 0.30,
}


@dataclass(frozen=True, slots=True)
class PhaseProgress:
    """One phase of one round, over its shards."""

    round: int
    name: PhaseName
    units_done: int
    units_total: int
    is_done: bool

    @property
    def fraction(self) -> float:
        """The share done, 0 to 1."""
        return 1.0 if self.is_done else self.units_done / max(self.units_total, 1)


@dataclass(frozen=True, slots=True)
class RunProgress:
    """A run's state at a glance."""

    run_id: str
    name: str
    status: RunStatus
    error: str | None
    rounds: int
    phases: tuple[PhaseProgress, ...]

    @property
    def current(self) -> PhaseProgress | None:
        """The phase being worked, or None before the first and after the last."""
        return next((phase for phase in self.phases if not phase.is_done), None)

    @property
    def fraction(self) -> float:
        """The share of the whole run that is done, 0 to 1."""
        if self.status is RunStatus.SUCCEEDED:
            return 1.0
        done = sum(_WEIGHTS[phase.name] * phase.fraction for phase in self.phases)
        return done / (self.rounds + _WEIGHTS[PhaseName.EVALUATE])


def progress_of(session: Session, run_ids: Sequence[str]) -> tuple[RunProgress, ...]:
    """Return the progress of some runs, in the order given."""
    by_run: dict[str, list[Phase]] = {run_id: [] for run_id in run_ids}
    for shard in phases.of_runs(session, run_ids):
        by_run[shard.run_id].append(shard)
    return tuple(_run_progress(session, run_id, shards) for run_id, shards in by_run.items())


def _run_progress(session: Session, run_id: str, shards: Sequence[Phase]) -> RunProgress:
    run = runs.get_run(session, run_id)
    grouped: dict[tuple[int, PhaseName], list[Phase]] = {}
    for shard in sorted(shards, key=lambda shard: shard.id):
        grouped.setdefault((shard.round, PhaseName(shard.name)), []).append(shard)
    return RunProgress(
        run.id,
        run.name,
        run.status,
        run.error,
        run.spec.rounds,
        tuple(_phase_progress(round_, name, group) for (round_, name), group in grouped.items()),
    )


def _phase_progress(round_: int, name: PhaseName, shards: Sequence[Phase]) -> PhaseProgress:
    return PhaseProgress(
        round_,
        name,
        sum(shard.units_done for shard in shards),
        sum(shard.units_total for shard in shards),
        all(shard.status == ShardStatus.DONE for shard in shards),
    )
