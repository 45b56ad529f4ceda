"""From what the database holds to what the API answers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlalchemy.orm import Session

from services.core.db import runs, shards
from services.core.db.runs import RunRecord
from services.core.db.shards import PhaseTotals, ShardRecord
from services.core.domain.phases import RunStatus, ShardStatus
from services.core.operations.progress import progress_of, remaining
from services.core.operations.rounds import RoundFacts
from services.core.queue.warnings import Alerted
from services.core.rest.models import (
    AlertedChange,
    AlertView,
    PhaseView,
    RoundView,
    RunSummary,
    RunView,
    ShardView,
    SpentView,
)


def run_summaries(session: Session, found: Sequence[RunRecord]) -> Mapping[str, RunSummary]:
    """Return runs as list items, by their ids, in the order given."""
    worked = shards.worked(session, [run.id for run in found])
    return {run.id: _summary(run, run.id in worked) for run in found}


def _summary(run: RunRecord, is_worked: bool) -> RunSummary:
    spec = run.spec
    return RunSummary(
        id=run.id,
        name=run.name,
        status=run.status,
        is_worked=is_worked,
        biased_share=spec.dose,
        method=spec.training.method,
        rule=spec.taught_by,
        seed=spec.seed,
        rounds=spec.rounds,
        error=run.error,
        created_at=run.created_at,
        finished_at=run.finished_at,
    )


def whole_run(session: Session, run_id: str) -> RunView:
    """Return a whole run, with how far it is. Raises `NotFound`."""
    run = runs.get_run(session, run_id)
    (progress,) = progress_of(session, [run])
    left = remaining(session, progress)
    is_over = run.status is RunStatus.SUCCEEDED or progress.current is None
    return RunView(
        **run_summaries(session, [run])[run.id].model_dump(),
        spec=run.spec,
        spec_hash=run.spec_hash,
        repetition=run.repetition,
        fraction=progress.fraction,
        eta_s=left.run_s,
        budget=run.budget,
        spent=SpentView.model_validate(asdict(run.spent)),
        current=None if is_over or progress.current is None else phase_view(progress.current, left.phase_s),
    )


def phase_view(phase: PhaseTotals, eta_s: float | None) -> PhaseView:
    """Return a phase; `eta_s` is that of the phase under way."""
    return PhaseView(
        round=phase.round,
        name=phase.name,
        status=_status(phase),
        shards=phase.shards,
        shards_done=phase.done,
        shards_running=phase.running,
        shards_failed=phase.failed,
        units_done=phase.units_done,
        units_total=phase.units_total,
        fraction=phase.fraction,
        eta_s=0.0 if phase.is_done else eta_s,
        started_at=phase.started_at,
        finished_at=phase.finished_at,
    )


def _status(phase: PhaseTotals) -> ShardStatus:
    if phase.is_done:
        return ShardStatus.DONE
    if phase.failed:
        return ShardStatus.FAILED
    return ShardStatus.RUNNING if phase.running else ShardStatus.OWED


def shard_view(shard: ShardRecord) -> ShardView:
    """Return a shard."""
    return ShardView(
        phase=shard.name, **{name: value for name, value in asdict(shard).items() if name != "name"}
    )


def round_view(facts: RoundFacts) -> RoundView:
    """Return a round."""
    tuples = {"users_out_of_role": facts.users_out_of_role._asdict(), "safety": facts.safety._asdict()}
    alert = None if facts.alert is None else alert_view(facts.alert)
    return RoundView.model_validate(asdict(facts) | tuples | {"alert": alert})


def alert_view(found: Alerted) -> AlertView:
    """Return what an early warning found."""
    change = AlertedChange(**{name: found.facts[name] for name in AlertedChange.model_fields})
    others = {name: found.facts[name] for name in ("action", "measure", "p", "alpha_spent")}
    return AlertView(round=found.round, created_at=found.created_at, change=change, **others)
