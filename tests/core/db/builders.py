"""Small real rows for database tests."""

import time
from concurrent.futures import Future
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from services.core.db import budgets, phases
from services.core.db.runs import NewRun
from services.core.db.session import transaction
from services.core.domain.identity import Fingerprints, run_hash
from services.core.domain.phases import PhaseName
from services.core.domain.spec import RunSpec
from services.core.queue import rounds

FINGERPRINTS = Fingerprints(policy="p", environment="e", data="d")


def a_spec(**changes: object) -> RunSpec:
    values = {
        "name": "t",
        "rounds": 1,
        "population": {"biased_share": 0.5, "conversations": 10},
        "training": {"method": "sft"},
        "concurrency": {"shard_size": 4},
    }
    return RunSpec.model_validate(values | changes)


def a_new_run(evaluation_items: int = 5, **changes: object) -> NewRun:
    spec = a_spec(**changes)
    return NewRun(spec, FINGERPRINTS, run_hash(spec, FINGERPRINTS), evaluation_items)


def a_run(engine: Engine, evaluation_items: int = 5, again: bool = False, **changes: object) -> str:
    with transaction(engine) as session:
        return rounds.launch(session, a_new_run(evaluation_items, **changes), again).run_id


def close_next(engine: Engine) -> bool:
    """Close the shard that is due, as a worker would whose work takes no time; False if none was due."""
    with transaction(engine) as session:
        if (held := phases.claim_next(session, list(PhaseName), "w", 60)) is not None:
            phases.progress(session, held, held.last_unit - held.first_unit)
        if held is not None and phases.finish(session, held):
            rounds.close_phase(session, held)
    return held is not None


def run_out(engine: Engine, spent_tokens: int, **changes: object) -> str:
    """Make a run that has spent so much, more than its budget, and that was stopped for it."""
    run_id = a_run(engine, **changes)
    with transaction(engine) as session:
        budgets.pay(session, run_id, spent_tokens, None)
        assert run_id in budgets.stop_used_up(session)
    return run_id


def await_a_waiting_lock(session: Session, waiting: Future[Any]) -> None:
    """Return when another transaction waits for a lock, or, in place of waiting, has ended."""
    query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while not waiting.done() and session.execute(query).scalar_one() == 0:
        time.sleep(0.01)
