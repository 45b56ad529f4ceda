"""Upkeep: what fell silent is owed again, and what hangs nowhere is rung for, whatever is away meanwhile."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from sqlalchemy import Engine

from services.core.db import phases
from services.core.db.session import open_engine, transaction
from services.core.domain.errors import DatabaseError
from services.core.domain.phases import PhaseName, ShardStatus, WorkerKind
from services.core.queue.bell import open_redis, ring_due
from services.core.queue.upkeep import Upkeep
from tests.core.db.builders import a_run
from tests.core.db.facts import shards_of
from tests.redis_server import RedisServer


def hanging(redis: Redis) -> list[str]:
    return list(Queue(WorkerKind.EVALUATOR, connection=redis).get_job_ids())


def fall_silent(engine: Engine) -> None:
    with transaction(engine) as session:
        assert phases.claim_next(session, list(PhaseName), "killed", -1) is not None


def await_that(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_silent_workers_shard_is_owed_and_rung_for_again(engine: Engine, redis_url: str):
    run_id = a_run(engine, evaluation_items=1)
    fall_silent(engine)
    redis = open_redis(redis_url)
    Upkeep(engine, lambda: ring_due(engine, redis)).see_to_it()
    assert hanging(redis) == [f"run-{run_id}-r0-evaluate-s0-a2"]


def test_without_redis_it_reaps_all_the_same(engine: Engine):
    run_id = a_run(engine, evaluation_items=1)
    fall_silent(engine)
    with RedisServer() as server:
        server.stop()
        with pytest.raises(RedisError):
            Upkeep(engine, lambda: ring_due(engine, open_redis(server.url))).see_to_it()
    with transaction(engine) as session:
        assert [shard.status for shard in shards_of(session, run_id)] == [ShardStatus.OWED]


def test_it_goes_on_when_redis_was_flushed_or_away(engine: Engine):
    a_run(engine, evaluation_items=1)
    with RedisServer() as server:
        redis = open_redis(server.url)
        with Upkeep(engine, lambda: ring_due(engine, redis)):
            await_that(lambda: hanging(redis))
            redis.flushdb()
            await_that(lambda: hanging(redis))
            server.stop()
            time.sleep(1.5)  # it has been in vain at least once
            server.start()
            await_that(lambda: hanging(redis))


def test_its_heart_beats_while_the_database_answers(engine: Engine, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    Upkeep(engine, heartbeat=beat).see_to_it()
    assert beat.exists()
    beat.unlink()
    nowhere = open_engine(f"postgresql://nobody@/none?host={tmp_path}")
    with pytest.raises(DatabaseError):
        Upkeep(nowhere, heartbeat=beat).see_to_it()
    assert not beat.exists()
