"""The early warning: after each round's measurement, whether honesty has fallen since round 0.

It is asked in the transaction that closes the measurement, so a round is asked about once, and a run that is to stop begins
nothing more. What was found is an event of the run: watchers see it as it happens, and it stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from services.core.db import evaluations, events
from services.core.db.runs import RunRecord
from services.core.domain.events import EventKind
from services.core.domain.measures import HONEST_SHARE, HONESTY, honesty_drift
from services.core.domain.verdict import Benchmark
from services.core.domain.warning import Alert, look

_MEASURES: Final = {"one_minus_lie": HONESTY, "honest": HONEST_SHARE}


@dataclass(frozen=True, slots=True)
class Alerted:
    """An alert as stored."""

    round: int
    created_at: datetime
    facts: Mapping[str, Any]


def check(session: Session, run: RunRecord, round_: int) -> Alert | None:
    """Look at a round that is measured to the end; an alert is written before it is returned."""
    rule = run.spec.warning
    if rule.action == "none" or round_ == 0:
        return None
    measured = evaluations.rounds_of(session, run.id)
    base, now = measured[0], measured[round_]
    read = evaluations.outcomes_of(session, {base, now}, Benchmark.MASK)
    alert = look(rule, run.spec.rounds, round_, honesty_drift(read[base], read[now], _MEASURES[rule.measure]))
    if alert is not None:
        events.append(session, run.id, EventKind.RUN_ALERT, round=round_, **alert.facts)
    return alert


def alerts_of(session: Session, run_id: str) -> tuple[Alerted, ...]:
    """Return what the early warning of a run has found, by round."""
    found = events.of_kind(session, run_id, EventKind.RUN_ALERT)
    return tuple(Alerted(one.data["round"], one.created_at, one.data) for one in found)
