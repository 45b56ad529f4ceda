"""The worker: a handler's return, failure or interruption, and what the shard becomes."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError

from services.core.db import phases, runs
from services.core.db.phases import Claim
from services.core.db.session import open_engine, transaction
from services.core.db.tables import Phase
from services.core.domain.errors import TrainingError
from services.core.domain.phases import PhaseName, RunStatus, ShardStatus
from services.core.queue import rounds
from services.core.queue.lease import Grip
from services.core.queue.stop import Stop
from services.core.queue.worker import Handler, Ring, Worker
from tests.core.db.builders import a_run, await_a_waiting_lock
from tests.core.db.facts import shards_of


def a_worker(
    engine: Engine, handler: Handler, lease_s: float = 30, ring: Ring = lambda _: None, name: str = "w"
) -> Worker:
    handlers = dict.fromkeys(PhaseName, handler)
    return Worker(engine, name, handlers, rounds.close_phase, lease_s, Grip(), ring)


def nothing(_: Claim) -> None:
    """A handler whose facts need no writing."""


def status(engine: Engine, run_id: str) -> RunStatus:
    with transaction(engine) as session:
        return runs.get_run(session, run_id).status


def test_a_run_is_worked_phase_by_phase_to_its_end(engine: Engine) -> None:
    run_id = a_run(engine, rounds=2, evaluation_items=1, concurrency={"shard_size": 10})
    seen: list[tuple[int, str]] = []
    worker = a_worker(engine, lambda claim: seen.append((claim.round, claim.name)))
    while worker.work_one():
        pass
    steps = ["simulate", "select", "train", "publish", "evaluate"]
    assert seen == [(0, "evaluate"), *((1, step) for step in steps), *((2, step) for step in steps)]
    assert status(engine, run_id) is RunStatus.SUCCEEDED


def test_two_workers_finish_a_run_together(engine: Engine) -> None:
    run_id = a_run(engine, rounds=2, evaluation_items=9, concurrency={"shard_size": 1})

    def work() -> None:
        worker = a_worker(engine, nothing)
        while status(engine, run_id) is RunStatus.RUNNING:
            worker.work_one()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert status(engine, run_id) is RunStatus.SUCCEEDED


def test_an_expected_failure_is_kept_in_its_own_words(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1)

    def broken(_: Claim) -> None:
        raise TrainingError("the child ran out of memory")

    worker = a_worker(engine, broken)
    while worker.work_one():
        pass
    with transaction(engine) as session:
        run = runs.get_run(session, run_id)
        shard = shards_of(session, run_id)[0]
    assert run.status is RunStatus.FAILED
    assert (shard.status, shard.failures) == (ShardStatus.FAILED, 3)
    assert shard.error == "the child ran out of memory"


def test_a_stop_hands_the_shard_back(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1)

    def stopped(_: Claim) -> None:
        raise Stop

    def stopped_out_of_sight(_: Claim) -> None:
        try:
            raise Stop
        finally:
            raise ValueError("the clean-up failed")

    with pytest.raises(Stop):
        a_worker(engine, stopped_out_of_sight).work_one()
    with pytest.raises(Stop):
        a_worker(engine, stopped).work_one()
    with transaction(engine) as session:
        shard = shards_of(session, run_id)[0]
    assert (shard.status, shard.failures) == (ShardStatus.OWED, 0)


def test_a_stop_right_behind_the_claim_hands_the_shard_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = a_run(engine, evaluation_items=1)

    def stopped(*_: object) -> None:
        raise Stop

    monkeypatch.setattr(Worker, "_work_as_told", stopped)
    with pytest.raises(Stop):
        a_worker(engine, nothing).work_one()
    assert the_shard(engine, run_id).status == ShardStatus.OWED


def the_shard(engine: Engine, run_id: str) -> Phase:
    with transaction(engine) as session:
        return shards_of(session, run_id)[0]


CUT = text("SELECT pg_terminate_backend(pg_backend_pid())")


def in_a_transaction(engine: Engine) -> None:
    with transaction(engine) as session:
        session.execute(CUT)


def on_a_connection_of_its_own(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(CUT)


@pytest.mark.parametrize("lose", [in_a_transaction, on_a_connection_of_its_own])
def test_a_lost_database_is_no_fault_of_the_shard(engine: Engine, lose: Callable[[Engine], None]) -> None:
    run_id = a_run(engine, evaluation_items=1)
    worker = a_worker(engine, lambda _: lose(engine))
    for _ in range(phases.MAX_FAILURES + 1):
        assert worker.work_one()
    shard = the_shard(engine, run_id)
    assert (shard.status, shard.failures, shard.silences) == (ShardStatus.OWED, 0, 0)


def test_a_worker_outlives_a_database_that_is_away(tmp_path: Path) -> None:
    nowhere = open_engine(f"postgresql://nobody@/none?host={tmp_path}")
    assert a_worker(nowhere, nothing).work_one() is False


def test_a_claim_that_loses_a_deadlock_is_made_another_time(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1)
    worker = a_worker(engine, nothing)
    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as session:
            runs.lock_status(session, run_id)
            claiming = pool.submit(worker.work_one)  # it has the shard, and waits for the run
            await_a_waiting_lock(session, claiming)
            phases.lock_all(session, run_id)
        assert claiming.result() is False
    assert worker.work_one()


@pytest.mark.parametrize(("limit", "is_tried_again"), [("lock_timeout", True), ("statement_timeout", False)])
def test_only_a_claim_that_others_are_in_the_way_of_is_made_another_time(
    engine: Engine, database_url: str, limit: str, is_tried_again: bool
) -> None:
    run_id = a_run(engine, evaluation_items=1)
    impatient = open_engine(database_url)

    @event.listens_for(impatient, "begin")
    def _(connection: Connection) -> None:
        connection.execute(text(f"SET LOCAL {limit} = '100ms'"))

    refused = nullcontext() if is_tried_again else pytest.raises(OperationalError, match="statement timeout")
    with transaction(engine) as session, refused:
        runs.lock_status(session, run_id)
        assert a_worker(impatient, nothing).work_one() is False
    assert a_worker(engine, nothing).work_one()
    impatient.dispose()


def test_a_cancelled_run_is_dropped_in_mid_work_and_its_shard_is_owed(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1)
    grip = Grip()

    def long(_: Claim) -> None:
        with transaction(engine) as session:
            rounds.cancel(session, runs.get_run(session, run_id))
        while True:
            grip.check()
            time.sleep(0.01)

    handlers: dict[PhaseName, Handler] = {PhaseName.EVALUATE: long}
    worker = Worker(engine, "w", handlers, rounds.close_phase, 0.6, grip, lambda _: None)
    assert worker.work_one()
    shard = the_shard(engine, run_id)
    assert (shard.status, shard.failures, shard.error) == (ShardStatus.OWED, 0, None)
    assert worker.work_one() is False
    with transaction(engine) as session:
        rounds.resume(session, runs.get_run(session, run_id))
    handlers[PhaseName.EVALUATE] = lambda _: grip.check()
    assert worker.work_one()
    assert the_shard(engine, run_id).status == ShardStatus.DONE


def test_the_bell_is_rung_after_all_that_makes_shards_due(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1)
    rung: list[tuple[Sequence[str], int]] = []

    def ring(run_ids: Sequence[str]) -> None:
        with transaction(engine) as session:
            rung.append((run_ids, len(phases.due(session, list(PhaseName), 99, run_ids))))

    def fail(_: Claim) -> None:
        raise TrainingError("no")

    def stop(_: Claim) -> None:
        raise Stop

    assert a_worker(engine, fail, ring=ring).work_one()
    with pytest.raises(Stop):
        a_worker(engine, stop, ring=ring).work_one()
    assert a_worker(engine, nothing, ring=ring).work_one()
    # The same shard twice; then round 1's conversations, in shards of 4.
    assert rung == [([run_id], 1), ([run_id], 1), ([run_id], 3)]


def test_a_worker_whose_lease_is_taken_changes_nothing(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1)

    def overtaken(claim: Claim) -> None:
        with transaction(engine) as session:
            phases.hand_back(session, claim, "stopped")
            assert phases.claim_next(session, list(PhaseName), "other", 30) is not None

    assert a_worker(engine, overtaken).work_one()
    with transaction(engine) as session:
        shard = shards_of(session, run_id)[0]
    assert (shard.status, shard.worker, shard.failures) == (ShardStatus.RUNNING, "other", 0)


def test_long_work_keeps_its_lease(engine: Engine) -> None:
    a_run(engine, evaluation_items=1)

    def slow(_: Claim) -> None:
        for _second in range(10):
            time.sleep(0.2)
            with transaction(engine) as session:
                assert phases.reap(session) == 0

    assert a_worker(engine, slow, lease_s=1).work_one()
