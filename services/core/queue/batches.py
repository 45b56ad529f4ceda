"""Facts written beside the loop: while the loop waits for models, a thread writes what has ended.

Nothing that has ended waits for more: the thread takes what is there, and what ends while it writes is its next batch. So a kill
loses little that was paid for, slow models make many small batches, and fast ones few.
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
        """Take a fact that is to be written with the next batch that has room: a batch holds `size` facts at most."""
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
            batch = [await self._ended.get()]
            while len(batch) < self._size and not self._ended.empty():
                batch.append(self._ended.get_nowait())
            is_over = batch[-1] is None
            await asyncio.to_thread(self._save, [fact for fact in batch if fact is not None])
