"""A queue worker: waits for the bell, and works one shard for each that it hears.

It is RQ's SimpleWorker, which works in this very process, so that no forked work-horse outlives a kill; seen by `rq info`,
paused by `rq suspend`. Four things differ from RQ's. A bell is taken down when it is heard, before the work, so nothing
of it is left when the worker is killed. Its job is never run, nor unpickled: it says that something is due, Postgres
says what, and whoever can write into Redis can wake workers and no more. A request to end interrupts the work (`Stop`)
instead of waiting for it. And a Redis that is lost is no end: meanwhile the worker asks Postgres itself.
"""

import time
from contextlib import suppress
from types import FrameType
from typing import NoReturn
from uuid import uuid4

import structlog
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import InvalidJobOperation, StopRequested
from rq.job import Job
from rq.worker import WorkerStatus

from services.core.domain.phases import WorkerKind
from services.core.queue.bell import SERIALIZER
from services.core.queue.stop import Stop, ignore_signals, stop_on_signals
from services.core.queue.worker import Worker

HEARTBEAT_S = 30
"""How long a silent worker is listed by `rq info`; half of it is how long one waits for a bell at a time."""
LOOK_EVERY_S = 1.0
"""How often a worker without Redis looks into Postgres."""

log = structlog.get_logger()


class Listener(SimpleWorker):
    """RQ's worker, tamed as said above."""

    worker: Worker
    """Who works when the bell is heard."""
    is_stopping = False
    failure: Exception | None = None
    """What went wrong with the worker itself: no shard's fault."""
    _is_working = False

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Work one shard. Raises `StopRequested`, RQ's way out of its loop, when this worker is to go no further."""
        try:
            self._take_down(job, queue)
            self._is_working = True
            self.worker.work_one()
        except (Stop, RedisError):
            raise StopRequested from None
        except Exception as error:
            self.failure = error
            raise StopRequested from error
        finally:
            self._is_working = False

    def _take_down(self, job: Job, queue: Queue) -> None:
        with suppress(InvalidJobOperation):  # it is gone already: Redis was flushed
            job.delete()
        queue.intermediate_queue.remove(job.id)
        self.set_state(WorkerStatus.BUSY)

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Tell RQ that this worker lives; where RQ would wait for a lost Redis, leave."""
        try:
            super().heartbeat(timeout, pipeline)
        except RedisError:
            raise StopRequested from None

    def request_stop(self, signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG002  # a signal handler
        """Stop now: interrupt the work, which hands its shard back, or leave the wait for a bell."""
        ignore_signals()
        self.is_stopping = True
        raise Stop if self._is_working else StopRequested

    def subscribe(self) -> None:
        """Take no commands over Redis: runs are cancelled in Postgres."""


def listen(worker: Worker, kind: WorkerKind, redis: Redis) -> None:
    """Work a kind's shards until stopped. Raises `Stop`, and whatever is wrong with the worker itself.

    The client is the listener's own: RQ gives it the patience to wait for a bell.
    """
    while True:
        stop_on_signals()
        try:
            _answer_bells(worker, kind, redis)
        except StopRequested:
            raise Stop from None
        except RedisError as error:
            log.warning("no Redis; looking for work without it", error=str(error))
        _work_without_bells(worker, redis)
        log.info("Redis answers; waiting for the bell")


def _answer_bells(worker: Worker, kind: WorkerKind, redis: Redis) -> None:
    # A name of its own for each life: RQ would refuse the name of a killed worker for a while.
    name = f"{worker.name}-{uuid4().hex[:8]}"
    listener = Listener([kind], name, connection=redis, worker_ttl=HEARTBEAT_S, serializer=SERIALIZER)
    listener.worker = worker
    try:
        listener.work(logging_level="WARNING")
    except RedisError:
        if not listener.is_stopping:
            raise
    if listener.failure is not None:
        raise listener.failure
    if listener.is_stopping:
        raise Stop


def _work_without_bells(worker: Worker, redis: Redis) -> None:
    # One look at least: a Redis that answers may yet refuse all else.
    while True:
        if not worker.work_one():
            time.sleep(LOOK_EVERY_S)
        if _answers(redis):
            return


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())  # pyright: ignore[reportUnknownMemberType]  # its keywords are untyped
    except RedisError:
        return False
