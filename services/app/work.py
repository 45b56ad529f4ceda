"""Working what is owed: a crew that is kept alive, and shards of the silent owed again.

Ctrl-C, a kill or a crash leaves runs that go on with the next crew: everything that is done is in the database.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import structlog

from services.app.crew import Crew, crew
from services.app.database import Database
from services.core.db import phases
from services.core.db.session import transaction
from services.core.domain.errors import DatabaseError
from services.core.settings import Settings

TEND_EVERY_S = 0.2
REAP_EVERY_S = 1.0

log = structlog.get_logger()


@contextmanager
def at_work(settings: Settings, database: Database) -> Generator[Callable[[], None]]:
    """Work whatever is owed while the block runs, which calls what it gets a few times a second.

    The call raises `LoopError` when workers keep dying.
    """
    with crew(settings, database.url) as members:
        yield _Upkeep(members, database).see_to_it


class _Upkeep:
    def __init__(self, members: Crew, database: Database):
        self._members = members
        self._database = database
        self._reaped = 0.0

    def see_to_it(self) -> None:
        self._members.tend()
        if time.monotonic() - self._reaped > REAP_EVERY_S:
            self._reap()
            self._reaped = time.monotonic()

    def _reap(self) -> None:
        try:
            with transaction(self._database.engine) as session:
                phases.reap(session)
        except DatabaseError as error:  # workers wait for it, too
            log.warning("nothing can be reaped", error=str(error))
