"""Everything that is handed over is written, in order and beside the loop; what writing raises ends the work."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest

from services.core.domain.errors import StaleClaim
from services.core.queue.batches import Batches


def written(facts: int, size: int) -> list[list[int]]:
    found: list[list[int]] = []
    batches = Batches[int](lambda batch: found.append(list(batch)), size)

    async def work() -> None:
        for fact in range(facts):
            batches.receive(fact)
            await asyncio.sleep(0)

    asyncio.run(batches.around(work()))
    return found


@pytest.mark.parametrize("facts", [0, 1, 4, 5, 11])
def test_all_is_written_once_in_order_and_in_batches(facts: int) -> None:
    found = written(facts, size=5)
    assert [fact for batch in found for fact in batch] == list(range(facts))
    assert all(len(batch) <= 5 for batch in found)
    assert found  # with no fact, an empty batch


def test_a_fact_is_written_while_the_rest_is_worked_on() -> None:
    is_written = threading.Event()
    batches = Batches[int](lambda _: is_written.set(), 25)

    async def work() -> None:
        batches.receive(1)
        assert await asyncio.to_thread(is_written.wait, 30)

    asyncio.run(batches.around(work()))


def test_what_ends_while_a_batch_is_written_is_written_together() -> None:
    found: list[list[int]] = []
    is_writing, may_go_on = threading.Event(), threading.Event()

    def save(batch: Sequence[int]) -> None:
        found.append(list(batch))
        is_writing.set()
        assert may_go_on.wait(30)

    batches = Batches[int](save, 5)

    async def work() -> None:
        batches.receive(0)
        assert await asyncio.to_thread(is_writing.wait, 30)
        for fact in range(1, 8):
            batches.receive(fact)
        may_go_on.set()

    asyncio.run(batches.around(work()))
    assert found == [[0], [1, 2, 3, 4, 5], [6, 7]]


def test_the_loop_goes_on_while_a_batch_is_written() -> None:
    has_gone_on = threading.Event()

    def save(_batch: Sequence[int]) -> None:
        assert has_gone_on.wait(30)

    batches = Batches[int](save, 1)

    async def work() -> None:
        batches.receive(1)
        await asyncio.sleep(0.01)
        has_gone_on.set()

    asyncio.run(batches.around(work()))


def refuse(_batch: Sequence[int]) -> None:
    raise StaleClaim("taken away")


def keep(_batch: Sequence[int]) -> None: ...


@pytest.mark.parametrize(("save", "works_on"), [(refuse, True), (keep, False)])
def test_what_writing_or_the_work_raises_ends_both(
    save: Callable[[Sequence[int]], None], works_on: bool
) -> None:
    batches = Batches[int](save, 1)

    async def work() -> None:
        batches.receive(1)
        if works_on:
            await asyncio.Event().wait()
        raise StaleClaim("taken away")

    with pytest.raises(StaleClaim):
        asyncio.run(batches.around(work()))
