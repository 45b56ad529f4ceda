"""Killed at any moment, a run loses nothing and doubles nothing: the same command completes it, as if undisturbed.

A phase is caught without any hook in the product: the test locks the table that the phase is about to write, waits
until Postgres says that someone is blocked there, and kills.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psutil
import pytest
from sqlalchemy import Engine, text

from services.core.db import runs
from services.core.db.session import open_engine
from tests.e2e.installation import Installation, await_that, ended, fresh, row_counts, run_facts

pytestmark = pytest.mark.slow

# A killed worker's shard is owed again as soon as its lease runs out.
SETTINGS = {"DRIFTLOOP_LEASE_S": 2, "DRIFTLOOP_WORKERS": 2}
# Enough steps that a training can be met half-way.
SPEC: dict[str, Any] = {"rounds": 2, "training": {"batch_size": 2, "epochs": 3}}

WORKER = "services.app.worker_process"
NURSERY = "services.trainer.fork_server"
WRITES = {
    "simulate": "trajectories",
    "select": "selections",
    "train": "adapters",
    "publish": "policies",
    "evaluate": "verdicts",
}
"""The table that each phase writes."""


class Outcome(NamedTuple):
    """What a completed installation holds."""

    facts: dict[str, Any]
    rows: dict[str, int]
    files: list[str]
    leftovers: list[str]


def outcome(installation: Installation) -> Outcome:
    adapters = installation.data / "adapters"
    with installation.database() as session:
        (run,) = runs.list_runs(session)
        return Outcome(
            run_facts(session, run.id),
            row_counts(session),
            sorted(str(path.relative_to(adapters)) for path in adapters.rglob("*")),
            installation.leftovers(),
        )


@pytest.fixture(scope="module")
def undisturbed() -> Outcome:
    """What the spec comes to when nothing happens to it."""
    with fresh() as installation:
        assert installation.run("launch", installation.spec(**SPEC), **SETTINGS).code == 0
        found = outcome(installation)
    assert found.leftovers == []
    return found


@pytest.fixture
def installation() -> Iterator[Installation]:
    with fresh() as made:
        yield made


@pytest.fixture
def engine(installation: Installation) -> Iterator[Engine]:
    """The installation's database, kept running meanwhile."""
    with installation.server() as url:
        opened = open_engine(url)
        yield opened
        opened.dispose()


def launch(installation: Installation) -> subprocess.Popen[str]:
    return installation.start("launch", installation.spec(**SPEC), **SETTINGS)


def is_true(engine: Engine, query: str, **values: object) -> bool:
    with engine.connect() as connection:
        return bool(connection.execute(text(query), values).scalar_one())


@contextmanager
def caught_writing(engine: Engine, installation: Installation, phase: str) -> Iterator[subprocess.Popen[str]]:
    """Launch, and stop the first worker that writes what a phase of round 1 makes, for as long as the block runs."""
    table = WRITES[phase]
    with engine.begin() as connection:
        connection.execute(text(f"LOCK TABLE {table} IN SHARE MODE"))
        process = launch(installation)
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = CAST(:table AS regclass)"
        await_that(lambda: is_true(engine, blocked, table=table), f"{phase} to write")
        assert is_running(engine, phase)
        yield process


def is_running(engine: Engine, phase: str) -> bool:
    query = "SELECT count(*) FROM phases WHERE round = 1 AND name = :phase AND status = 'running'"
    return is_true(engine, query, phase=phase)


def await_mid_training(engine: Engine, attempt: int = 1) -> None:
    query = """SELECT count(*) FROM phases
               WHERE round = 1 AND name = 'train' AND status = 'running' AND attempt >= :attempt
               AND units_done > 0 AND units_done < units_total"""
    await_that(lambda: is_true(engine, query, attempt=attempt), "a half-done training", every_s=0.005)


def catch_in_mid_training(engine: Engine, installation: Installation) -> subprocess.Popen[str]:
    process = launch(installation)
    await_mid_training(engine)
    return process


def kill(installation: Installation, process: subprocess.Popen[str]) -> None:
    """Kill the command alone; what it had started must go by itself."""
    process.kill()
    process.communicate()
    installation.await_quiet()


def kill_all(installation: Installation, process: subprocess.Popen[str]) -> None:
    """Kill the command and all that it had started."""
    victims = installation.processes()
    assert len(victims) >= 4  # itself, two workers, the nursery
    for victim in victims:
        victim.kill()
    process.communicate()
    installation.await_quiet()


def is_trained(installation: Installation) -> bool:
    return any(installation.data.glob("adapters/run-*-r1/training.json"))


def complete(installation: Installation, process: subprocess.Popen[str]) -> None:
    done = ended(process)
    assert done.code == 0, done.err
    installation.await_quiet()


def test_killed_in_every_phase(undisturbed: Outcome, installation: Installation, engine: Engine) -> None:
    for phase in ("simulate", "select"):
        with caught_writing(engine, installation, phase) as process:
            kill(installation, process)
    kill(installation, catch_in_mid_training(engine, installation))
    assert not is_trained(installation)
    for phase in ("train", "publish", "evaluate"):
        with caught_writing(engine, installation, phase) as process:
            assert is_trained(installation)
            kill(installation, process)
    complete(installation, launch(installation))
    assert outcome(installation) == undisturbed
    assert nobody_else_is_connected(engine)


def nobody_else_is_connected(engine: Engine) -> bool:
    query = """SELECT count(*) = 0 FROM pg_stat_activity
               WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""
    engine.dispose()
    await_that(lambda: is_true(engine, query), "the killed processes' connections to end")
    return True


def test_killed_with_all_its_processes(
    undisturbed: Outcome, installation: Installation, engine: Engine
) -> None:
    with caught_writing(engine, installation, "simulate") as process:
        kill_all(installation, process)
    kill_all(installation, catch_in_mid_training(engine, installation))
    with caught_writing(engine, installation, "evaluate") as process:
        kill_all(installation, process)
    complete(installation, launch(installation))
    assert outcome(installation) == undisturbed


def test_killed_workers_and_nurseries_are_replaced(
    undisturbed: Outcome, installation: Installation, engine: Engine
) -> None:
    with caught_writing(engine, installation, "simulate") as process:
        kill_parts(installation, process, WORKER, 2)
    await_mid_training(engine)
    kill_parts(installation, process, NURSERY, 1)
    await_mid_training(engine, attempt=2)
    kill_parts(installation, process, WORKER, 2)
    complete(installation, process)
    assert outcome(installation) == undisturbed


def kill_parts(installation: Installation, owner: subprocess.Popen[str], module: str, count: int) -> None:
    """Kill those of the owner's children that run a module."""
    mine = {child.pid for child in psutil.Process(owner.pid).children()}
    victims = [child for child in installation.processes() if child.pid in mine and module in child.cmdline()]
    assert len(victims) == count
    for victim in victims:
        victim.kill()
    assert owner.poll() is None
