"""Working what is owed: a crew that is kept alive, and shards of the silent owed again.

Ctrl-C, a kill or a crash leaves runs that go on with the next crew: everything that is done is in the database.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from services.app.crew import crew
from services.app.database import Database
from services.core.queue.upkeep import Upkeep
from services.core.settings import Settings

TEND_EVERY_S = 0.2


@contextmanager
def at_work(settings: Settings, database: Database) -> Generator[Callable[[], None]]:
    """Work whatever is owed while the block runs, which calls what it gets a few times a second.

    The call raises `LoopError` when workers keep dying.
    """
    with crew(settings, database.url) as members, Upkeep(database.engine):
        yield members.tend
