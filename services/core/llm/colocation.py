"""One GPU for serving and for training: they take turns, and the server sleeps while a training has the memory.

Shards that ask a policy share a lock of the base model in Postgres, a training has it alone; so a training waits for conversations
in flight, and new ones wait for the training, on any number of workers. Postgres drops a dead worker's lock. A server that such
a worker left asleep is woken by the next one that needs it. A worker that loses its shard, or is to stop, waits no longer.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, cast

import psycopg
from sqlalchemy import Connection, Engine, TextClause, text

from services.core.queue.lease import Grip

LOOK_EVERY_S = 0.2


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
        with self._locked("pg_advisory_lock"):
            try:
                self._all(lambda server: server.sleep())
                yield
            finally:
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
    def _locked(self, lock: str) -> Generator[None]:
        key = int.from_bytes(hashlib.sha256(self.base.encode()).digest()[:8], "big", signed=True)
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            try:
                self._wait(connection, text(f"SELECT {lock}({key})"))
                yield
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
