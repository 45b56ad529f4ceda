"""What a worker does, whatever wakes it: claim a shard, work it under a lease, close it in one transaction.

A handler does a shard's work and writes its facts through the fence. Its return means that all facts are written;
then one transaction marks the shard done and, if it was the phase's last, owes what comes next. After every commit
that makes shards due, the bell is rung.

An exception counts as a failure of the shard, except those that are not its fault: `StaleClaim` (the shard was taken
away: the work is dropped), `OutOfBudget` (it is handed back, for nobody to claim until there is more), `Stop` (it is handed back, and the worker ends), and a database that is lost (it is handed
back as soon as the database is there again, and the worker goes on).
"""

import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from services.core.db import phases
from services.core.db.phases import Claim
from services.core.db.session import is_contended, is_lost, transaction
from services.core.domain.errors import DatabaseError, LoopError, OutOfBudget, StaleClaim
from services.core.domain.phases import PhaseName
from services.core.queue.lease import Grip, Lease
from services.core.queue.stop import Stop, hides_stop

Handler = Callable[[Claim], None]
Close = Callable[[Session, Claim], None]
Ring = Callable[[Sequence[str]], None]

TRY_AGAIN_S = 1.0
"""How long a worker waits for a lost database before it looks again."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Worker:
    """A claimant of shards."""

    engine: Engine
    name: str
    handlers: Mapping[PhaseName, Handler]
    close_phase: Close
    """Owes what comes next, in the transaction of the phase's last shard."""
    lease_s: float
    grip: Grip
    """Shared with the handlers, so that long work ends when its shard is taken away."""
    ring: Ring
    """Wakes other workers for runs, after the commit that made shards of theirs due."""
    run_ids: Collection[str] | None = None
    """The runs to work; None for all."""

    def work_one(self) -> bool:
        """Work one due shard; False if none was due or could be claimed, or if the database is away and a moment was waited for it."""
        claim: Claim | None = None
        try:
            with transaction(self.engine) as session:
                claim = phases.claim_next(session, list(self.handlers), self.name, self.lease_s, self.run_ids)
            return claim is not None and self._work_as_told(claim)
        except DatabaseError as error:
            log.warning("nothing can be claimed", error=str(error))
            time.sleep(TRY_AGAIN_S)
            return False
        except OperationalError as error:
            if claim is not None or not is_contended(error):
                raise
            log.warning("nothing can be claimed now: others are in the way", error=str(error.orig))
            return False
        except Stop:
            # It may come at any point behind the claim, also between two lines.
            if claim is not None:
                with _said_of(claim):
                    self._hand_back(claim, "the worker stopped", patience_s=0)
                self.ring([claim.run_id])
            raise

    def _work_as_told(self, claim: Claim) -> bool:
        with _said_of(claim):
            self._work(claim)
        self.ring([claim.run_id])
        return True

    def _work(self, claim: Claim) -> None:
        log.info("claimed")
        try:
            with Lease(self.engine, claim, self.lease_s, self.grip):
                self.handlers[claim.name](claim)
                self._close(claim)
            log.info("done")
        except StaleClaim as stale:
            log.warning("dropped", reason=str(stale))
        except OutOfBudget as spent:
            log.info("stopped by the budget", reason=str(spent))
            self._hand_back(claim, str(spent), patience_s=self.lease_s)
        except Exception as error:
            if hides_stop(error):
                raise Stop from error
            self._give_up(claim, error)

    def _give_up(self, claim: Claim, error: Exception) -> None:
        if is_lost(error):
            log.warning("the database was lost", error=str(error))
            self._hand_back(claim, "the database was lost", patience_s=self.lease_s)
        else:
            self._fail(claim, error)

    def _close(self, claim: Claim) -> None:
        with transaction(self.engine) as session:
            if phases.finish(session, claim):
                self.close_phase(session, claim)

    def _hand_back(self, claim: Claim, reason: str, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                with transaction(self.engine) as session:
                    phases.hand_back(session, claim, reason)
            except DatabaseError:
                if time.monotonic() >= deadline:
                    log.warning("not handed back; the lease will run out")
                    return
                time.sleep(TRY_AGAIN_S)
            else:
                log.info("handed back")
                return

    def _fail(self, claim: Claim, error: Exception) -> None:
        expected = isinstance(error, LoopError)
        log.error("failed", error=str(error), traceback=None if expected else traceback.format_exc())
        message = str(error) if expected else f"{type(error).__name__}: {error}"
        try:
            with transaction(self.engine) as session:
                phases.fail(session, claim, message[:2000])
        except DatabaseError as lost:
            log.warning("the failure can't be recorded; the lease will run out", error=str(lost))


def _said_of(claim: Claim) -> AbstractContextManager[None]:
    """Have every line of the log say which shard it is about."""
    return structlog.contextvars.bound_contextvars(
        run=claim.run_id,
        round=claim.round,
        phase=claim.name,
        shard=claim.shard,
        attempt=claim.attempt,
    )
