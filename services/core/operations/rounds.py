"""What each round of a run made, as far as it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from services.core.db import evaluations, policies, safety, selections, shards, trajectories
from services.core.db.runs import RunRecord
from services.core.db.safety import NO_ROWS, SafetyCount
from services.core.db.shards import PhaseTotals
from services.core.domain.phases import PhaseName, policy_name
from services.core.queue import warnings
from services.core.queue.warnings import Alerted
from services.core.stats.rates import EMPTY, Rate


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """One round that has begun."""

    round: int
    policy: str
    is_measured: bool
    conversations: Mapping[str, int]
    """How many are scored, vetoed, unscored, failed."""
    users_out_of_role: Rate
    """Of the turns that simulated users were asked for."""
    selected: Mapping[str, int]
    """How many were chosen, by label."""
    safety: SafetyCount
    """Rows of safety data beside them."""
    adapter: str | None
    evaluation: int | None
    alert: Alerted | None
    started_at: datetime | None
    finished_at: datetime | None


def rounds_of(session: Session, run: RunRecord) -> tuple[RoundFacts, ...]:
    """Return a run's begun rounds, in order."""
    phases: dict[int, list[PhaseTotals]] = {}
    for phase in shards.totals(session, [run.id]):
        phases.setdefault(phase.round, []).append(phase)
    held = trajectories.counts(session, run.id)
    out_of_role = trajectories.users_out_of_role(session, run.id)
    chosen = selections.counts(session, run.id)
    mixed_in = safety.counts(session, run.id)
    adapters = {adapter.round: adapter.key for adapter in policies.adapters_of_run(session, run.id)}
    measured = evaluations.rounds_of(session, run.id)
    alerts = {alert.round: alert for alert in warnings.alerts_of(session, run.id)}
    found: list[RoundFacts] = []
    for round_, of_round in sorted(phases.items()):
        last = next((phase for phase in of_round if phase.name is PhaseName.EVALUATE), None)
        finished_at = last and last.finished_at
        found.append(
            RoundFacts(
                round=round_,
                policy=policy_name(run.id, run.spec.policy, round_),
                is_measured=finished_at is not None,
                conversations=held.get(round_, {}),
                users_out_of_role=out_of_role.get(round_, EMPTY),
                selected=chosen.get(round_, {}),
                safety=mixed_in.get(round_, NO_ROWS),
                adapter=adapters.get(round_),
                evaluation=measured.get(round_),
                alert=alerts.get(round_),
                started_at=min((phase.started_at for phase in of_round if phase.started_at), default=None),
                finished_at=finished_at,
            )
        )
    return tuple(found)
