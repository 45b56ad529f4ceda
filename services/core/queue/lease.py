"""A lease held while work goes on: a thread renews it, and says when it is lost."""

import threading
from types import TracebackType

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from services.core.db import phases
from services.core.db.phases import Claim
from services.core.db.session import transaction
from services.core.domain.errors import DatabaseError


class Lease:
    """Renews a claim's lease three times per lease length until left.

    A lost lease is not an error here: the fence refuses the late worker's writes anyway, and a database that can't
    be reached for a moment may come back before the lease runs out.
    """

    def __init__(self, engine: Engine, claim: Claim, lease_s: float):
        self._engine = engine
        self._claim = claim
        self._lease_s = lease_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{claim.phase_id}", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._over.wait(self._lease_s / 3):
            try:
                with transaction(self._engine) as session:
                    if not phases.renew(session, self._claim, self._lease_s):
                        return
            except (DatabaseError, SQLAlchemyError):
                continue
