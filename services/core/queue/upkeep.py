"""What workers do beside their work, once a second: owe again what fell silent, count hours, stop runs whose budget is used up, ring
for what nobody rang for.

Every queue worker does it, for all kinds, so the work goes on as long as one worker of any kind lives to see to it and one
of the right kind lives to do it; inline workers have it done by their owner, and need no bell. It has its own thread and
never ends by itself; a database or a Redis that is away is said once, and tried again each second.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import structlog
from redis.exceptions import RedisError
from sqlalchemy import Engine

from services.core.db import budgets, phases
from services.core.db.session import transaction
from services.core.domain.errors import DatabaseError

EVERY_S = 1.0

log = structlog.get_logger()


class Upkeep:
    """Reaps and rings while the block runs."""

    def __init__(
        self, engine: Engine, ring: Callable[[], object] = lambda: None, heartbeat: Path | None = None
    ):
        self._engine = engine
        self._ring = ring
        self._heartbeat = heartbeat
        self._complaint: str | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="upkeep", daemon=True)

    def __enter__(self) -> "Upkeep":
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._over.wait(EVERY_S):
            try:
                self.see_to_it()
                self._complaint = None
            except (DatabaseError, RedisError) as error:
                self._complain(error)
            except Exception:
                log.exception("upkeep failed")

    def see_to_it(self) -> None:
        """Do all of it once, and touch the heartbeat file. Raises `DatabaseError`, `RedisError`."""
        with transaction(self._engine) as session:
            reaped = phases.reap(session)
        if reaped:
            log.warning("owed again: their workers fell silent", shards=reaped)
        with transaction(self._engine) as session:
            budgets.count_hours(session)
        with transaction(self._engine) as session:
            for run_id, why in budgets.stop_used_up(session).items():
                log.info("stopped by the budget", run=run_id, reason=why)
        self._ring()
        if self._heartbeat is not None:
            self._heartbeat.touch()

    def _complain(self, error: Exception) -> None:
        complaint = type(error).__name__
        if complaint != self._complaint:
            log.warning("upkeep must wait", error=str(error))
        self._complaint = complaint
