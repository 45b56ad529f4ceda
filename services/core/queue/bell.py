"""The bell: an RQ job that wakes a worker of the right kind. What is to be done stands in Postgres, never in Redis.

Whoever has committed a transaction that makes shards due rings for them; a woken worker claims the oldest shard that
is due for its kind, which need not be the one rung for. So a bell too many is an idle look, and a lost bell (Redis
flushed, a worker killed between hearing and claiming) is a delay: every worker looks each second whether a due shard
has no bell in its queue, and rings again.

A bell's id names shard and attempt, so the same shard owed again gets another one, and it is rung uniquely: however
many ring, it hangs there once. An id outlives its place in the queue if a worker is killed as it hears the bell; a due
shard's bell that exists but hangs in no queue is therefore dead, and another is hung in its place. The job is a name
and nothing else: it is never run, so nobody who rings imports what a worker needs, and no pickle goes through Redis.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.exceptions import DuplicateJobError
from sqlalchemy import Engine

from services.core.db import phases
from services.core.db.phases import DueShard
from services.core.db.session import transaction
from services.core.domain.errors import DatabaseError, SpecError
from services.core.domain.phases import WorkerKind, phases_of, worker_kind

AT_ONCE = 200
"""Bells hung at a time for each kind of worker: enough to wake them all."""
SERIALIZER = "json"
_NAME = "driftloop.bell"

log = structlog.get_logger()


class Bell(NamedTuple):
    """A bell: the queue that it hangs in, and the id that makes it one."""

    kind: WorkerKind
    job_id: str


def bell_for(shard: DueShard) -> Bell:
    """Return the bell of a due shard."""
    place = f"r{shard.round}-{shard.name}-s{shard.shard}-a{shard.attempt}"
    return Bell(worker_kind(shard.name), f"run-{shard.run_id}-{place}")


def unrung(due: Iterable[DueShard], rung: Mapping[WorkerKind, Collection[str]]) -> tuple[Bell, ...]:
    """Return the bells that must be rung, given those that hang in the queues."""
    bells = (bell_for(shard) for shard in due)
    return tuple(bell for bell in bells if bell.job_id not in rung[bell.kind])


def open_redis(url: str) -> Redis:
    """Return a client of a `redis://` URL; it connects when first used. Raises `SpecError` for another URL.

    A lost connection is tried anew once, at once: whoever rings must not be held up, and the worker has its own patience.
    """
    try:
        return Redis.from_url(url, socket_connect_timeout=2, socket_timeout=5, retry=Retry(NoBackoff(), 1))  # pyright: ignore[reportUnknownMemberType]  # its keywords are untyped
    except ValueError as error:
        raise SpecError(f"REDIS_URL: {error}") from None


def ring_due(engine: Engine, redis: Redis, run_ids: Collection[str] | None = None) -> int:
    """Ring for the shards of these runs (or of all) that are due and have no bell; return how many.

    Raises `RedisError`, `DatabaseError`.
    """
    with transaction(engine) as session:
        due = [
            shard for kind in WorkerKind for shard in phases.due(session, phases_of(kind), AT_ONCE, run_ids)
        ]
    if not due:
        return 0
    queues = {kind: Queue(kind, connection=redis, serializer=SERIALIZER) for kind in WorkerKind}
    bells = unrung(due, {kind: frozenset(queue.get_job_ids()) for kind, queue in queues.items()})
    for bell in bells:
        _hang(queues[bell.kind], bell.job_id)
    return len(bells)


def ring_after_commit(engine: Engine, redis: Redis) -> Callable[[Sequence[str]], None]:
    """Return what rings for runs whose work has been committed as owed.

    It never fails: the work is owed whether or not a bell is heard, and workers look for themselves.
    """

    def ring(run_ids: Sequence[str]) -> None:
        try:
            ring_due(engine, redis, run_ids)
        except (RedisError, DatabaseError) as error:
            log.warning("the bell can't be rung; workers look for themselves", runs=run_ids, error=str(error))

    return ring


def _hang(queue: Queue, job_id: str) -> None:
    try:
        _enqueue(queue, job_id, unique=True)
    except DuplicateJobError:
        if queue.get_job_position(job_id) is None:
            _enqueue(queue, job_id, unique=False)


def _enqueue(queue: Queue, job_id: str, unique: bool) -> None:
    # The timeout is RQ's word for none: leases say how long a worker may be silent.
    queue.enqueue_call(_NAME, job_id=job_id, unique=unique, timeout=-1)  # pyright: ignore[reportUnknownMemberType]  # rq's generics are open
