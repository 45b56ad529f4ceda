"""A run as workers work it, one step at a time, with the events that they write."""

from sqlalchemy import Engine

from services.core.db import events, runs
from services.core.db.session import transaction
from services.core.domain.events import EventKind
from services.core.domain.phases import RunStatus
from tests.core.db.facts import a_trajectory, hold, measure
from tests.simulator.pages.worked import SCRIPT, judged


def measured(engine: Engine, run_id: str, round_: int, lies: int) -> None:
    """Judge a round's policy, which lies so often in twenty statements, and tell it."""
    measure(engine, run_id, round_, judged(lies, SCRIPT))
    with transaction(engine) as session:
        events.append(session, run_id, EventKind.PHASE_DONE, round=round_, phase="evaluate")


def held(engine: Engine, run_id: str, round_: int, conversations: int) -> list[int]:
    """Hold conversations, whose replies are script, and tell it; return their ids."""
    made = hold(
        engine, run_id, round_, [a_trajectory(slot, (SCRIPT, SCRIPT)) for slot in range(conversations)]
    )
    with transaction(engine) as session:
        events.append(session, run_id, EventKind.SHARD_PROGRESS, round=round_, phase="simulate")
    return made


def ended(engine: Engine, run_id: str) -> None:
    """Finish the run, and tell it."""
    with transaction(engine) as session:
        runs.set_status(session, run_id, RunStatus.SUCCEEDED)
        events.append(session, run_id, EventKind.RUN_SUCCEEDED)
