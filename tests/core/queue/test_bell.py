"""The bell: what is rung, that ringing twice is once, and that no due shard stays without one."""

from collections.abc import Sequence

import pytest
from redis import Redis
from rq import Queue
from sqlalchemy import Engine

from services.app.api import ring
from services.core.db import phases
from services.core.db.phases import DueShard
from services.core.db.session import transaction
from services.core.domain.errors import SpecError
from services.core.domain.phases import PhaseName, WorkerKind, worker_kind
from services.core.queue import bell
from services.core.queue.bell import Bell, bell_for, open_redis, ring_due, unrung
from tests.core.db.builders import a_run
from tests.redis_server import RedisServer

NOTHING_RUNG: dict[WorkerKind, tuple[str, ...]] = dict.fromkeys(WorkerKind, ())


@pytest.fixture
def redis(redis_url: str) -> Redis:
    return open_redis(redis_url)


def hanging(redis: Redis, kind: WorkerKind = WorkerKind.EVALUATOR) -> Sequence[str]:
    return Queue(kind, connection=redis).get_job_ids()


def bells_of(run_id: str, *shards: int, attempt: int = 1) -> list[str]:
    return [f"run-{run_id}-r0-evaluate-s{shard}-a{attempt}" for shard in shards]


def test_every_phase_has_a_kind_of_worker():
    kinds = {name.value: worker_kind(name).value for name in PhaseName}
    assert kinds == {
        "simulate": "simulator",
        "select": "trainer",
        "train": "trainer",
        "publish": "trainer",
        "evaluate": "evaluator",
    }


def test_a_bell_names_shard_and_attempt():
    shard = DueShard("1234abcd-2", 3, PhaseName.TRAIN, 0, 2)
    assert bell_for(shard) == Bell(WorkerKind.TRAINER, "run-1234abcd-2-r3-train-s0-a2")


def test_only_what_hangs_nowhere_is_rung():
    due = [DueShard("a", 1, PhaseName.SIMULATE, shard, 1) for shard in (0, 1)]
    bells = [bell_for(shard) for shard in due]
    assert unrung(due, NOTHING_RUNG) == tuple(bells)
    assert unrung(due, NOTHING_RUNG | {WorkerKind.SIMULATOR: (bells[0].job_id,)}) == (bells[1],)
    # In another kind's queue, it would wake nobody.
    assert unrung(due, NOTHING_RUNG | {WorkerKind.TRAINER: (bells[0].job_id,)}) == tuple(bells)


def test_ringing_twice_is_once(engine: Engine, redis: Redis):
    run_id = a_run(engine, evaluation_items=6, concurrency={"shard_size": 4})
    assert [ring_due(engine, redis), ring_due(engine, redis, [run_id])] == [2, 0]
    assert hanging(redis) == bells_of(run_id, 0, 1)


def test_what_is_claimed_is_not_rung_and_what_comes_back_is(engine: Engine, redis: Redis):
    run_id = a_run(engine, evaluation_items=1)
    with transaction(engine) as session:
        claim = phases.claim_next(session, list(PhaseName), "w", 30)
    assert claim is not None
    assert ring_due(engine, redis) == 0
    with transaction(engine) as session:
        phases.hand_back(session, claim, "stopped")
    ring_due(engine, redis)
    assert hanging(redis) == bells_of(run_id, 0, attempt=2)


def test_only_the_runs_that_are_named_are_rung_for(engine: Engine, redis: Redis):
    a_run(engine, evaluation_items=1)
    second = a_run(engine, evaluation_items=1, seed=2)
    ring_due(engine, redis, [second])
    assert hanging(redis) == bells_of(second, 0)


def test_a_flushed_redis_is_rung_again(engine: Engine, redis: Redis):
    run_id = a_run(engine, evaluation_items=1)
    ring_due(engine, redis)
    redis.flushdb()
    ring_due(engine, redis)
    assert hanging(redis) == bells_of(run_id, 0)


def test_a_bell_that_died_with_its_worker_is_rung_again(engine: Engine, redis: Redis):
    run_id = a_run(engine, evaluation_items=1)
    ring_due(engine, redis)
    queue = Queue(WorkerKind.EVALUATOR, connection=redis)
    assert Queue.dequeue_any([queue], None, connection=redis) is not None  # and then the worker is killed
    assert hanging(redis) == []
    ring_due(engine, redis)
    assert hanging(redis) == bells_of(run_id, 0)


def test_a_bell_that_another_hangs_meanwhile_hangs_once(
    engine: Engine, redis: Redis, monkeypatch: pytest.MonkeyPatch
):
    run_id = a_run(engine, evaluation_items=1)

    def unrung_before_the_other(due: Sequence[DueShard], _rung: object) -> tuple[Bell, ...]:
        return unrung(due, NOTHING_RUNG)

    monkeypatch.setattr(bell, "unrung", unrung_before_the_other)
    ring_due(engine, redis)
    ring_due(engine, redis)
    assert hanging(redis) == bells_of(run_id, 0)


def test_ringing_without_redis_fails_nobody(engine: Engine, capsys: pytest.CaptureFixture[str]):
    run_id = a_run(engine, evaluation_items=1)
    with RedisServer() as server:
        wake = ring(engine, server.url)
        server.stop()
        wake([run_id])
        assert "workers look for themselves" in capsys.readouterr().out
        server.start()
        wake([run_id])
        assert hanging(open_redis(server.url)) == bells_of(run_id, 0)


def test_a_wrong_url_is_named():
    with pytest.raises(SpecError, match="REDIS_URL"):
        open_redis("http://127.0.0.1")
