"""Watching runs from any machine: their events come as they happen, and each says that there is something new to see.

Every run is listened to by a thread of its own, a few at a time: all must end before the watch does, so the others can wait for
their turn. Meanwhile the workers are tended.
"""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from services.app.service import Tend
from services.core.domain.errors import LoopError
from services.core.domain.phases import RunStatus
from services.core.rest.client import Client
from services.core.rest.models import EventView

TEND_EVERY_S = 0.2
LOOK_EVERY_S = 0.5
LISTENED_TO = 8


class News(NamedTuple):
    """What came of a run: an event; its end, without one; or an error that ends the watch."""

    run: str
    event: EventView | None = None
    error: LoopError | None = None


class Watch:
    """What is known of some runs, kept up to date until all have ended."""

    def __init__(self, client: Client, runs: Sequence[str]):
        self._client = client
        self._news: queue.Queue[News] = queue.Queue()
        self.runs = {run: client.runs.get(run) for run in runs}
        self._waiting = [name for name, run in self.runs.items() if run.status is RunStatus.RUNNING]
        self._listened_to: set[str] = set()

    @property
    def is_over(self) -> bool:
        """Whether all runs have ended."""
        return not self._listened_to and not self._waiting

    def events(self, tend: Tend) -> Iterator[EventView | None]:
        """Yield what happens, and None a few times a second, until all runs have ended. Raises `LoopError`."""
        looked_at, touched = time.monotonic(), set[str]()
        while not self.is_over:
            tend()
            self._listen()
            for news in self._arrived():
                touched.add(news.run)
                if news.event is not None:
                    yield news.event
            if time.monotonic() - looked_at > LOOK_EVERY_S:
                self._look(touched)
                looked_at = time.monotonic()
            yield None
        self._look(set(self.runs))
        yield None

    def _listen(self) -> None:
        while self._waiting and len(self._listened_to) < LISTENED_TO:
            run = self._waiting.pop(0)
            self._listened_to.add(run)
            threading.Thread(target=self._hear, args=(run,), name=f"watch-{run}", daemon=True).start()

    def _hear(self, run: str) -> None:
        try:
            for event in self._client.runs.follow(run):
                self._news.put(News(run, event))
            self._news.put(News(run))
        except LoopError as error:
            self._news.put(News(run, error=error))

    def _arrived(self) -> Iterator[News]:
        """Wait a moment for news, and yield all that is there."""
        with suppress(queue.Empty):
            news = self._news.get(timeout=TEND_EVERY_S)
            while True:
                if news.error is not None:
                    raise news.error
                if news.event is None:
                    self._listened_to.discard(news.run)
                yield news
                news = self._news.get_nowait()

    def _look(self, touched: set[str]) -> None:
        """Look at the runs that something came of, and at one that waits for its turn."""
        for run in (*touched, *self._waiting[:1]):
            self.runs[run] = self._client.runs.get(run)
        self._waiting = self._waiting[1:] + self._waiting[:1]
        touched.clear()
