"""A lease held while work goes on: a thread renews it, and says when it is lost."""

import threading
from types import TracebackType

import structlog
from sqlalchemy import Engine

from services.core.db import phases
from services.core.db.phases import Claim
from services.core.db.session import transaction
from services.core.domain.errors import StaleClaim

log = structlog.get_logger()


class Grip:
    """Whether a worker still has its shard: told by the lease, asked by long work, which ends when it is lost.

    Long work asks a few times a second. It is not interrupted, because this process goes on with other shards: an
    exception at any point could leave a connection pool or a model server half-changed.
    """

    def __init__(self) -> None:
        self._is_lost = threading.Event()

    def take(self) -> None:
        """Take hold of another shard."""
        self._is_lost.clear()

    def lose(self) -> None:
        """Say that the shard is in other hands."""
        self._is_lost.set()

    def check(self) -> None:
        """Raise `StaleClaim` if the shard is lost."""
        if self._is_lost.is_set():
            raise StaleClaim("the shard was taken away: its run was cancelled, or its lease ran out")


class Lease:
    """Renews a claim's lease three times per lease length until left; loosens the grip when it is lost.

    A renewal that fails, for whatever reason (a database that can't be reached, a lock, no free connection), is no loss:
    the next may succeed before the lease runs out, and the fence refuses a late worker's writes anyway.
    """

    def __init__(self, engine: Engine, claim: Claim, lease_s: float, grip: Grip):
        self._engine = engine
        self._claim = claim
        self._lease_s = lease_s
        self._grip = grip
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{claim.phase_id}", daemon=True)

    def __enter__(self) -> "Lease":
        self._grip.take()
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._over.wait(self._lease_s / 3):
            try:
                with transaction(self._engine) as session:
                    is_held = phases.renew(session, self._claim, self._lease_s)
            except Exception as error:
                log.warning("the lease was not renewed", error=str(error))
                continue
            if not is_held:
                self._grip.lose()
                return
