"""Facts written beside the loop: while the loop waits for models, a thread writes what has ended, in small batches.

A batch costs some tens of milliseconds of database; written in the loop it would hold up every conversation in flight.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

Fact = TypeVar("Fact")

Save = Callable[[Sequence[Fact]], None]


class Batches(Generic[Fact]):
    """What one shard has to write. Belongs to one event loop."""

    def __init__(self, save: Save[Fact], size: int):
        self._save = save
        self._size = size
        self._ended: asyncio.Queue[Fact | None] = asyncio.Queue()

    def receive(self, fact: Fact) -> None:
        """Take a fact that is to be written with the next batch."""
        self._ended.put_nowait(fact)

    async def around(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work and write what it hands over; all is written when this returns.

        `save` is called from one thread at a time, also for the last batch, which may be empty. What it raises ends the work.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write())
                await work
                self._ended.put_nowait(None)
        except ExceptionGroup as stopped:
            raise stopped.exceptions[0] from None

    async def _write(self) -> None:
        is_over = False
        while not is_over:
            batch: list[Fact] = []
            while len(batch) < self._size and not is_over:
                fact = await self._ended.get()
                if fact is None:
                    is_over = True
                else:
                    batch.append(fact)
            await asyncio.to_thread(self._save, batch)
