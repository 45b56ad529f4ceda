"""Many conversations at once: one asyncio task each, no lock-step, at most `in_flight` at a time.

A slow user delays only its own talk. When nothing more may begin, what was begun goes on to its end. A failed conversation is a trajectory like any other and stops none. What can
stop them is the receiver: if `on_done` raises (the database is gone, another worker owns the shard now), the conversations
in flight are cancelled and its exception is raised.
"""

import asyncio
from collections.abc import Callable, Iterable

from services.core.domain.trajectory import Slot, Trajectory
from services.simulator.conversation import Stage, converse


async def simulate(
    slots: Iterable[Slot],
    stage: Stage,
    in_flight: int,
    on_done: Callable[[Trajectory], None],
    may_begin: Callable[[], bool] = lambda: True,
) -> None:
    """Hold a conversation with each slot's person and hand over every trajectory as soon as it ends.

    Trajectories come in no fixed order; each is the same at any `in_flight`, if its models are. `may_begin` is asked before
    each conversation; at its first no, no more are begun.
    """
    free = asyncio.Semaphore(in_flight)

    async def one(slot: Slot) -> None:
        try:
            on_done(await converse(slot, stage))
        finally:
            free.release()

    try:
        async with asyncio.TaskGroup() as group:
            for slot in slots:
                await free.acquire()
                if not may_begin():
                    break
                group.create_task(one(slot))
    except ExceptionGroup as stopped:
        raise stopped.exceptions[0] from None
