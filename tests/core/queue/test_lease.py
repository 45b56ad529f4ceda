"""A lease that is held while the database has its troubles."""

import time
from collections.abc import Callable

from sqlalchemy import Engine, create_engine
from structlog.testing import capture_logs

from services.core.db import phases, runs
from services.core.db.phases import Claim
from services.core.db.session import transaction
from services.core.domain.errors import StaleClaim
from services.core.domain.phases import PhaseName
from services.core.queue import rounds
from services.core.queue.lease import Grip, Lease
from tests.core.db.builders import a_run

PATIENCE_S = 30.0


def a_claim(engine: Engine) -> Claim:
    a_run(engine)
    with transaction(engine) as session:
        claim = phases.claim_next(session, list(PhaseName), "w", 60)
    assert claim is not None
    return claim


def await_that(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.01)


def is_lost(grip: Grip) -> bool:
    try:
        grip.check()
    except StaleClaim:
        return True
    return False


def test_a_renewal_that_fails_for_any_reason_is_said_and_tried_again(engine: Engine) -> None:
    claim, grip = a_claim(engine), Grip()
    # Who has its only connection keeps the lease waiting for one: an error that is no database's.
    narrow = create_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with capture_logs() as said, Lease(narrow, claim, lease_s=0.1, grip=grip):
        with narrow.connect():
            await_that(lambda: said)
        assert "QueuePool limit" in said[0]["error"]
        assert not is_lost(grip)
        with transaction(engine) as session:
            rounds.cancel(session, runs.get_run(session, claim.run_id))
        await_that(lambda: is_lost(grip))
    narrow.dispose()
