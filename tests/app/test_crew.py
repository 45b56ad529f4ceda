"""The crew: kept alive, not for ever, and nothing left behind."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from services.app import deaths
from services.app.catalogue import Catalogue
from services.app.crew import Crew, crew
from services.core.db.session import transaction
from services.core.domain.errors import LoopError
from services.core.operations import launching
from services.core.operations.planning import read_arms
from services.core.settings import Settings
from tests.core.db.facts import shards_of

SMALL = {
    "name": "small",
    "rounds": 1,
    "population": {"biased_share": 0.5, "conversations": 4},
    "selection": {"top": 2, "bottom": 2},
    "training": {"method": "sft"},
    "evaluation": {"benchmarks": ["mask"], "limit": 2},
    "concurrency": {"shard_size": 4},
}


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

        def are_all_here() -> bool:
            # As its owner does, again and again: one that is dying is no worker any more, and not dead yet.
            members.tend()
            return len(workers()) == 2

        await_that(are_all_here)
        assert killed not in workers()
    assert workers() == set()


def test_workers_that_cannot_start_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deaths, "MAX_IN_A_ROW", 1)

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


def test_a_crew_for_some_runs_works_them_alone(engine: Engine, tmp_path: Path, database_url: str) -> None:
    """A run that was left behind waits, though its shards are older, for a crew that is for it or for all."""
    here, known = settings(tmp_path), Catalogue(settings(tmp_path))
    with transaction(engine) as session:
        left, mine = (
            launching.launch(session, "t", read_arms(SMALL | {"seed": seed}, known)).run_ids[0]
            for seed in (1, 2)
        )

    def worked(run_id: str) -> int:
        with transaction(engine) as session:
            return sum(shard.attempt for shard in shards_of(session, run_id))

    with crew(here, database_url, [mine]):
        await_that(lambda: worked(mine) > 1)
    assert worked(left) == 0
    with crew(here, database_url):
        await_that(lambda: worked(left))
