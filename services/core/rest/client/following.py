"""Following a run over a line that may break: what happens comes once each, in order, until the run has ended.

The service tells events as they happen, each with its number; whoever comes back with the last number that he has is told the
rest. So this takes up a broken line where it broke, and also one that the service ends after some minutes.
"""

import time
from collections.abc import Iterator

import httpx2

from services.core.domain.errors import ServiceUnreachable
from services.core.rest.client.connection import Connection, understood
from services.core.rest.models import EventView

PATIENCE_S = 60.0
"""How long a service that went away is looked for."""
SILENCE_S = 60.0
"""A line on which nothing comes for so long is dead: the service says every few seconds that it is there."""
PAUSE_S = 0.3


def events_of(connection: Connection, path: str, after: int) -> Iterator[EventView]:
    """Yield events behind number `after` until the service says that it was the last one, or the client is closed.

    Raises `NotFound`; `ServiceUnreachable` if the service stays away; `LoopError` for an event that this version does not know.
    """
    return _Follower(connection, path, after).events()


class _Follower:
    def __init__(self, connection: Connection, path: str, seq: int):
        self._connection = connection
        self._path = path
        self._seq = seq
        self._is_over = False
        self._heard_at = time.monotonic()

    def events(self) -> Iterator[EventView]:
        while not self._is_over:
            try:
                yield from self._listen()
            except ServiceUnreachable:
                if self._connection.is_closed:
                    return
                if time.monotonic() - self._heard_at > PATIENCE_S:
                    raise
                time.sleep(PAUSE_S)

    def _listen(self) -> Iterator[EventView]:
        headers = {"Last-Event-ID": str(self._seq)}
        with self._connection.stream(self._path, headers=headers, silence_s=SILENCE_S) as response:
            for told in httpx2.EventSource(response):
                self._heard_at = time.monotonic()
                if told.event == "end":
                    self._is_over = True
                elif told.event == "reconnect":
                    return
                else:
                    event = understood(EventView, told.data, response)
                    self._seq = event.seq
                    yield event
        if not self._is_over:
            time.sleep(PAUSE_S)  # the service ended the line, and may be going down
