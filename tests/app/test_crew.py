"""The crew: kept alive, not for ever, and nothing left behind."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from services.app import crew as crew_module
from services.app.crew import Crew, crew
from services.core.domain.errors import LoopError
from services.core.settings import Settings


def settings(data: Path, workers: int = 1) -> Settings:
    return Settings(data=data, workers=workers)


def workers() -> set[int]:
    """The worker processes that this test has started."""
    found: set[int] = set()
    for process in psutil.Process().children():
        if process.status() != psutil.STATUS_ZOMBIE and "services.app.worker_process" in process.cmdline():
            found.add(process.pid)
    return found


def await_that(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_worker_is_replaced_and_all_end_with_the_block(tmp_path: Path, database_url: str) -> None:
    with crew(settings(tmp_path, workers=2), database_url) as members:
        await_that(lambda: len(workers()) == 2)
        first = workers()
        killed = min(first)
        os.kill(killed, signal.SIGKILL)
        await_that(lambda: workers() == first - {killed})
        members.tend()
        await_that(lambda: len(workers()) == 2)
        assert killed not in workers()
    assert workers() == set()


def test_workers_that_cannot_start_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "MAX_REPLACEMENTS", 1)

    def tend_for_ever(members: Crew) -> None:
        while True:
            members.tend()
            time.sleep(0.05)

    nowhere = f"postgresql://nobody@/none?host={tmp_path}"
    with (
        crew(settings(tmp_path), nowhere) as members,
        pytest.raises(LoopError, match=r"workers keep dying.*workers\.log"),
    ):
        tend_for_ever(members)
    assert "Postgres can't be reached" in (tmp_path / "logs/workers.log").read_text()


def test_a_polite_kill_of_the_owner_ends_the_block(tmp_path: Path, database_url: str) -> None:
    def work_until_killed() -> None:
        with crew(settings(tmp_path), database_url):
            await_that(workers)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        work_until_killed()
    assert workers() == set()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
