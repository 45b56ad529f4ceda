"""What a worker does, whatever wakes it: claim a shard, work it under a lease, close it in one transaction.

A handler does a shard's work and writes its facts through the fence. Its return means that all facts are written;
then one transaction marks the shard done and, if it was the phase's last, owes what comes next. An exception counts
as a failure of the shard, except `StaleClaim` (someone else has it) and a stop request (it is handed back).
"""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from services.core.db import phases
from services.core.db.phases import Claim
from services.core.db.session import transaction
from services.core.domain.errors import LoopError, StaleClaim
from services.core.domain.phases import PhaseName
from services.core.queue.lease import Lease

Handler = Callable[[Claim], None]
Close = Callable[[Session, Claim], None]

log = structlog.get_logger()


class Stop(KeyboardInterrupt):
    """Raised into a handler's thread when the worker is asked to stop; the shard is handed back.

    A KeyboardInterrupt, because event loops and database drivers let one through and clean up behind it; any other
    BaseException they wrap, or swallow, or leave a connection stuck for.
    """


@dataclass(frozen=True)
class Worker:
    """A claimant of shards."""

    engine: Engine
    name: str
    handlers: Mapping[PhaseName, Handler]
    close_phase: Close
    """Owes what comes next, in the transaction of the phase's last shard."""
    lease_s: float

    def work_one(self) -> bool:
        """Work one due shard; False if none was due."""
        with transaction(self.engine) as session:
            claim = phases.claim_next(session, list(self.handlers), self.name, self.lease_s)
        if claim is None:
            return False
        fields = {"run": claim.run_id, "round": claim.round, "phase": claim.name, "shard": claim.shard}
        with structlog.contextvars.bound_contextvars(**fields, attempt=claim.attempt):
            self._work(claim)
        return True

    def _work(self, claim: Claim) -> None:
        log.info("claimed")
        try:
            with Lease(self.engine, claim, self.lease_s):
                self.handlers[claim.name](claim)
                self._close(claim)
            log.info("done")
        except StaleClaim:
            log.warning("lost the lease")
        except Stop:
            self._hand_back(claim)
            raise
        except Exception as error:
            self._fail(claim, error)

    def _close(self, claim: Claim) -> None:
        with transaction(self.engine) as session:
            if phases.finish(session, claim):
                self.close_phase(session, claim)

    def _hand_back(self, claim: Claim) -> None:
        with transaction(self.engine) as session:
            phases.hand_back(session, claim)
        log.info("handed back")

    def _fail(self, claim: Claim, error: Exception) -> None:
        expected = isinstance(error, LoopError)
        log.error("failed", error=str(error), traceback=None if expected else traceback.format_exc())
        message = str(error) if expected else f"{type(error).__name__}: {error}"
        with transaction(self.engine) as session:
            phases.fail(session, claim, message[:2000])
