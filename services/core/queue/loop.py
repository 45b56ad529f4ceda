"""The event loop in which a worker's shards wait for models, one shard at a time."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from services.core.queue.lease import Grip

LOOK_EVERY_S = 0.2

Result = TypeVar("Result")


class WorkLoop:
    """Runs a shard's coroutine to its end, or until the worker's grip on the shard is lost."""

    def __init__(self, grip: Grip):
        self._grip = grip
        self._runner = asyncio.Runner()
        self._last_of_all: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def at_end(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let this run before the loop is closed: connections can't be closed without their loop."""
        self._last_of_all.append(close)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what the coroutine returns. Raises `StaleClaim` if the shard is lost; all that was begun is cancelled."""
        # The runner's own context would be the first shard's: its fields would stand in every later line of the log.
        return self._runner.run(self._while_held(work), context=contextvars.copy_context())

    async def _while_held(self, work: Coroutine[Any, Any, Result]) -> Result:
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait([task], timeout=LOOK_EVERY_S)
                self._grip.check()
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def __enter__(self) -> "WorkLoop":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for close in self._last_of_all:
            self._runner.run(close())
        self._runner.close()
