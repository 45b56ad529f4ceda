"""Working what is owed: a crew that is kept alive, and shards of the silent owed again.

Ctrl-C, a kill or a crash leaves runs that go on with the next crew that is for them: everything that is done is in the database.
A command's crew is for the runs that the command is about, so that none spends on a run that was left and is not spoken of; a
service's is for all.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from services.app.crew import crew
from services.app.database import Database
from services.core.queue.upkeep import Upkeep
from services.core.settings import Settings

TEND_EVERY_S = 0.2


@contextmanager
def at_work(
    settings: Settings, database: Database, run_ids: Sequence[str] | None = None
) -> Generator[Callable[[], None]]:
    """Work what some runs, or all, are owed while the block runs, which calls what it gets a few times a second.

    The call raises `LoopError` when workers keep dying.
    """
    with crew(settings, database.url, run_ids) as members, Upkeep(database.engine):
        yield members.tend
