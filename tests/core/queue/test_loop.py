"""The work loop: a coroutine's result or error, its end when the shard is lost, and the log fields that it sees."""

import asyncio
from collections.abc import Iterator

import pytest
import structlog

from services.core.domain.errors import StaleClaim, TrainingError
from services.core.queue.lease import Grip
from services.core.queue.loop import WorkLoop


@pytest.fixture
def grip() -> Grip:
    return Grip()


@pytest.fixture
def loop(grip: Grip) -> Iterator[WorkLoop]:
    with WorkLoop(grip) as opened:
        yield opened


def test_it_returns_what_the_work_returns_or_raises_what_it_raises(loop: WorkLoop):
    async def work() -> int:
        await asyncio.sleep(0)
        return 3

    async def broken() -> None:
        raise TrainingError("no")

    assert loop.run(work()) == 3
    with pytest.raises(TrainingError):
        loop.run(broken())


def test_a_lost_shard_ends_all_that_its_work_began(loop: WorkLoop, grip: Grip):
    ended: list[str] = []

    async def talk(name: str) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(name)

    async def work() -> None:
        asyncio.get_running_loop().call_soon(grip.lose)
        async with asyncio.TaskGroup() as group:
            for name in ("a", "b"):
                group.create_task(talk(name))

    with pytest.raises(StaleClaim):
        loop.run(work())
    assert sorted(ended) == ["a", "b"]


def test_the_next_shard_is_held_anew(loop: WorkLoop, grip: Grip):
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    grip.lose()
    with pytest.raises(StaleClaim):
        loop.run(work())
    grip.take()
    assert loop.run(work()) == "done"


def test_the_work_sees_the_log_fields_of_its_own_shard(loop: WorkLoop):
    async def fields() -> dict[str, object]:
        return structlog.contextvars.get_contextvars()

    for shard in (1, 2):
        with structlog.contextvars.bound_contextvars(shard=shard):
            assert loop.run(fields()) == {"shard": shard}


def test_what_is_closed_at_the_end_still_has_its_loop():
    loops: list[asyncio.AbstractEventLoop] = []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    grip = Grip()
    with WorkLoop(grip) as loop:
        loop.at_end(note)
        loop.run(note())
        grip.lose()
    assert len(loops) == 2
    assert loops[0] is loops[1]
    assert loops[0].is_closed()
