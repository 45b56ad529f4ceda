"""Queue workers in their everyday: sharing a round, stopping, cancelled runs, a Redis that is away, the log."""

import signal
from collections.abc import Iterator
from typing import Any, NamedTuple

import psutil
import pytest
from sqlalchemy import text

from services.core.db import runs
from services.core.db.session import transaction
from services.core.db.tables import Phase
from services.core.domain.phases import RunStatus, ShardStatus, WorkerKind
from services.core.operations import launching
from tests.core.db.facts import shards_of
from tests.e2e.fleet import Fleet, fleet_of
from tests.e2e.installation import SMALL, await_that, fresh

pytestmark = pytest.mark.slow

SIMULATOR, TRAINER, EVALUATOR = WorkerKind
QUICK: dict[str, Any] = SMALL | {"evaluation": {"benchmarks": ["capability"], "held_out_profiles": 1}}
# All items in one shard, which takes a while.
LONG_EVALUATION: dict[str, Any] = SMALL | {
    "evaluation": {
        "benchmarks": ["mask", "deceptionbench", "capability", "held_out"],
        "held_out_profiles": 8,
    },
    "concurrency": {"in_flight": 1, "shard_size": 10_000},
}
LONG_TRAINING: dict[str, Any] = QUICK | {"training": SMALL["training"] | {"batch_size": 2, "epochs": 100}}
PLACE = {"run", "round", "phase", "shard", "attempt"}


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """An installation without workers."""
    with fresh() as installation, fleet_of(installation) as opened:
        yield opened


class Crewed(NamedTuple):
    """An installation with workers, by name."""

    fleet: Fleet
    simulator: str
    other_simulator: str
    trainer: str
    evaluator: str


@pytest.fixture(scope="module")
def crewed() -> Iterator[Crewed]:
    with fresh() as installation, fleet_of(installation) as opened:
        yield Crewed(opened, *opened.start_ready(SIMULATOR, SIMULATOR, TRAINER, EVALUATOR))


def status(fleet: Fleet, run_id: str) -> RunStatus:
    with transaction(fleet.engine) as session:
        return runs.get_run(session, run_id).status


def await_end(fleet: Fleet, run_id: str) -> None:
    await_that(lambda: not fleet.are_running(), "the run to end", every_s=0.1)
    assert status(fleet, run_id) is RunStatus.SUCCEEDED


def events_of(fleet: Fleet, run_id: str, kind: str) -> list[dict[str, Any]]:
    query = text("SELECT data FROM events WHERE run_id = :run AND kind = :kind ORDER BY seq")
    with transaction(fleet.engine) as session:
        return list(session.execute(query, {"run": run_id, "kind": kind}).scalars())


def test_workers_share_a_round_and_every_line_of_a_shard_says_which(crewed: Crewed) -> None:
    fleet, *names = crewed
    (run_id,) = fleet.launch(SMALL | {"concurrency": {"in_flight": 4, "shard_size": 4}})
    await_end(fleet, run_id)
    with transaction(fleet.engine) as session:
        shards = shards_of(session, run_id)
    talked = {shard.worker for shard in shards if shard.name == "simulate"}
    assert talked == {crewed.simulator, crewed.other_simulator}
    assert {shard.attempt for shard in shards} == {1}
    for name in names:
        lines = fleet.log(name)
        assert {line["worker"] for line in lines} == {name}
        of_shards = [line for line in lines if line["event"] in ("claimed", "done")]
        assert of_shards
        assert all(line.keys() >= PLACE for line in of_shards)


def test_work_goes_on_while_redis_is_away_and_the_bell_is_heard_again_after(crewed: Crewed) -> None:
    fleet, *names = crewed
    fleet.redis.stop()
    (run_id,) = fleet.launch(QUICK)
    await_that(lambda: done(fleet, run_id), "work without a bell")
    fleet.redis.start()
    await_end(fleet, run_id)
    for name in names:
        await_that(lambda name=name: fleet.has_logged(name, "Redis answers; waiting for the bell"), name)
    (again,) = fleet.launch(QUICK | {"seed": 4})
    await_end(fleet, again)


def done(fleet: Fleet, run_id: str) -> list[Phase]:
    with transaction(fleet.engine) as session:
        return [shard for shard in shards_of(session, run_id) if shard.status == ShardStatus.DONE]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_hands_the_shard_back_at_once(fleet: Fleet, number: signal.Signals) -> None:
    (name,) = fleet.start_ready(EVALUATOR)
    (run_id,) = fleet.launch(LONG_EVALUATION)
    await_that(lambda: fleet.holding(EVALUATOR), "the shard to be claimed")
    assert fleet.end(name, number) == 0
    # Not by its lease: that had just begun, and nobody reaps here.
    (handed_back,) = events_of(fleet, run_id, "shard.owed_again")
    assert handed_back["error"] == "the worker stopped"
    (line,) = [line for line in fleet.log(name) if line["event"] == "handed back"]
    assert line.keys() >= PLACE


def test_an_idle_worker_ends_when_asked(fleet: Fleet) -> None:
    for name in fleet.start_ready(SIMULATOR, TRAINER):
        assert fleet.end(name) == 0
        assert [line["event"] for line in fleet.log(name)] == ["ready"]
    fleet.installation.await_quiet()


def cancel(fleet: Fleet, run_id: str) -> None:
    with transaction(fleet.engine) as session:
        launching.cancel(session, run_id)


def await_dropped(fleet: Fleet, name: str) -> None:
    await_that(lambda: fleet.has_logged(name, "dropped"), "the work to be dropped")
    assert fleet.holding() == []
    assert fleet.processes[name].poll() is None


def trainings(fleet: Fleet) -> list[psutil.Process]:
    """The nurseries' children."""
    nurseries = [
        one for one in fleet.installation.processes() if "services.trainer.fork_server" in one.cmdline()
    ]
    return [one for one in nurseries if one.parent() in nurseries]


def test_a_cancelled_run_is_let_go_of_in_mid_shard(crewed: Crewed) -> None:
    fleet = crewed.fleet
    (measured,) = fleet.launch(LONG_EVALUATION)
    await_that(lambda: fleet.holding(EVALUATOR), "the measurement")
    cancel(fleet, measured)
    await_dropped(fleet, crewed.evaluator)
    (trained,) = fleet.launch(LONG_TRAINING)
    await_that(lambda: trainings(fleet), "the training")
    cancel(fleet, trained)
    await_dropped(fleet, crewed.trainer)
    await_that(lambda: not trainings(fleet), "the training's end")
    # Neither counts against the shard, and the workers are there for others.
    assert (
        events_of(fleet, measured, "shard.owed_again") == events_of(fleet, trained, "shard.owed_again") == []
    )
    (other,) = fleet.launch(QUICK | {"seed": 5})
    await_end(fleet, other)
    assert status(fleet, measured) is status(fleet, trained) is RunStatus.CANCELLED
