"""One GPU for serving and for training: they take turns, and the server sleeps while a training has the memory.

Shards that ask a policy share a lock of the base model in Postgres, a training has it alone; so a training waits for conversations
in flight, and new ones wait for the training, on any number of workers. Postgres drops a dead worker's lock. A server that such
a worker left asleep is woken by the next one that needs it. A worker that loses its shard, or is to stop, waits no longer; one that
loses the lock, with its connection to Postgres, loses its shard too.
"""

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, cast

import psycopg
import structlog
from sqlalchemy import Connection, Engine, TextClause, text
from sqlalchemy.exc import DBAPIError

from services.core.db.session import connect
from services.core.queue.lease import Grip

LOOK_EVERY_S = 0.2
WATCH_EVERY_S = 1.0

log = structlog.get_logger()


class Sleeper(Protocol):
    """A server that can give its memory back for a while (vLLM's sleep mode)."""

    async def sleep(self) -> None:
        """Give the memory back; names stay known. Raises `AdapterError`."""
        ...

    async def wake(self) -> None:
        """Be ready to answer; does nothing if it is awake. Raises `AdapterError`."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True)
class Turns:
    """Who has the GPU of a base model."""

    engine: Engine
    base: str
    servers: Sequence[Sleeper]
    grip: Grip

    @contextmanager
    def serving(self) -> Generator[None]:
        """Let the servers answer while the block runs."""
        with self._locked("pg_advisory_lock_shared"):
            self._all(lambda server: server.wake())
            yield

    @contextmanager
    def training(self) -> Generator[None]:
        """Have the memory while the block runs; wake the servers after it, whatever became of it."""
        with self._locked("pg_advisory_lock") as is_lost:
            try:
                self._all(lambda server: server.sleep())
                yield
            finally:
                # Without the lock another training may have the memory; who needs the servers next wakes them.
                if not is_lost():
                    self._all(lambda server: server.wake())

    def _all(self, order: Callable[[Sleeper], Awaitable[None]]) -> None:
        # On a loop of its own: a server is woken also when the worker's has lost its shard.
        async def ordered() -> None:
            try:
                await asyncio.gather(*(order(server) for server in self.servers))
            finally:
                await asyncio.gather(*(server.close() for server in self.servers))

        asyncio.run(ordered())

    @contextmanager
    def _locked(self, lock: str) -> Generator[Callable[[], bool]]:
        """Hold a lock while the block runs; yield what tells whether it is lost."""
        key = int.from_bytes(hashlib.sha256(self.base.encode()).digest()[:8], "big", signed=True)
        with connect(self.engine) as connection:
            try:
                self._wait(connection, text(f"SELECT {lock}({key})"))
                with self._watched(connection) as is_lost:
                    yield is_lost
            finally:
                # Closed, not given back to the pool: the lock and the settings end with the connection.
                connection.invalidate()

    def _wait(self, connection: Connection, lock: TextClause) -> None:
        # A turn may be hours away; the worker's lease is renewed meanwhile.
        connection.execute(text("SET lock_timeout = 0"))
        connection.execute(text("SET statement_timeout = 0"))
        with ThreadPoolExecutor(1) as thread:
            turn = thread.submit(connection.execute, lock)
            try:
                while not wait([turn], LOOK_EVERY_S).done:
                    self.grip.check()
            except BaseException:
                cast("psycopg.Connection", connection.connection.driver_connection).cancel()
                raise
        turn.result()

    @contextmanager
    def _watched(self, connection: Connection) -> Generator[Callable[[], bool]]:
        over, lost = threading.Event(), threading.Event()
        watch = threading.Thread(target=self._watch, args=(connection, over, lost), daemon=True)
        watch.start()
        try:
            yield lost.is_set
        finally:
            over.set()
            watch.join()

    def _watch(self, connection: Connection, over: threading.Event, lost: threading.Event) -> None:
        while not over.wait(WATCH_EVERY_S):
            try:
                connection.execute(text("SELECT 1"))
            except DBAPIError as error:
                log.warning("the turn on the GPU is lost with its connection", error=str(error.orig))
                lost.set()
                self.grip.lose()
                return
