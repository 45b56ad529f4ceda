"""A queue worker as a process: `driftloop worker simulator|trainer|evaluator`, any number of them, on any machines.

It needs the installation's Postgres, at this version's schema, and its Redis. At its start it waits a while for a
Postgres that is starting and for the migrations, and says what is missing if they do not come; later it waits for ever.
Redis it can do without for a time. A trainer brings its own nursery, and replaces one that dies.
"""

import importlib.util
import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType

import structlog
from sqlalchemy import Engine

from services.app.deaths import Deaths
from services.app.wiring import open_worker
from services.core.db.migrate import check_schema
from services.core.db.session import open_engine
from services.core.domain.errors import DatabaseError, LoopError, SpecError, TrainingError
from services.core.domain.phases import WorkerKind
from services.core.queue.bell import open_redis, ring_after_commit, ring_due
from services.core.queue.listener import listen
from services.core.queue.upkeep import Upkeep
from services.core.settings import Settings
from services.trainer.nursery import Nursery

READY_WITHIN_S = 60.0
"""How long a worker waits at its start for a Postgres at this version's schema."""
LOOK_EVERY_S = 1.0
_TRAINING = ("torch", "transformers", "trl", "peft")

log = structlog.get_logger()


def work_queue(settings: Settings, kind: WorkerKind, name: str) -> None:
    """Work a kind's shards until stopped, which raises `Stop`. Raises `LoopError` if that is not possible here."""
    if settings.database_url is None:
        raise SpecError("DATABASE_URL: a worker needs the installation's Postgres; set it to postgresql://…")
    if settings.redis_url is None:
        raise SpecError("REDIS_URL: a worker is woken through the installation's Redis; set it to redis://…")
    redis = open_redis(settings.redis_url)
    engine = open_engine(settings.database_url)
    await_schema(engine, READY_WITHIN_S)
    ring = ring_after_commit(engine, redis)
    upkeep = Upkeep(engine, lambda: ring_due(engine, redis), settings.heartbeat)
    with _nursery(kind) as nursery:
        path = None if nursery is None else nursery.socket_path
        with open_worker(settings, engine, name, [kind], path, ring) as worker, upkeep:
            log.info("ready", kind=kind, lease_s=settings.lease_s)
            listen(worker, kind, open_redis(settings.redis_url))


def await_schema(engine: Engine, patience_s: float) -> None:
    """Wait for Postgres and its migrations. Raises `DatabaseError` if they do not come."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            check_schema(engine)
        except DatabaseError as error:
            if time.monotonic() >= deadline:
                raise
            log.warning("not ready yet", error=str(error))
            time.sleep(LOOK_EVERY_S)
        else:
            return


@contextmanager
def _nursery(kind: WorkerKind) -> Generator[Nursery | None]:
    """Start a trainer's nursery and keep it alive; other kinds have none."""
    if kind is not WorkerKind.TRAINER:
        yield None
        return
    lacking = [name for name in _TRAINING if importlib.util.find_spec(name) is None]
    if lacking:
        raise SpecError(f"a trainer needs {', '.join(lacking)}: pip install 'driftloop[trainer]'")
    with Nursery() as nursery, _Tending(nursery):
        yield nursery


class _Tending:
    """Replaces a nursery that dies, from a thread. One that keeps dying ends the worker, with the reason."""

    def __init__(self, nursery: Nursery):
        self._nursery = nursery
        self._failure: LoopError | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="tending", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _go_on(self) -> None:
        try:
            self._tend()
        except LoopError as error:
            self._failure = error
            os.kill(os.getpid(), signal.SIGTERM)

    def _tend(self) -> None:
        deaths = Deaths()
        while not self._over.wait(LOOK_EVERY_S):
            if self._nursery.tend():
                deaths.count(time.monotonic())
                log.warning("the training nursery died and was replaced", in_a_row=deaths.in_a_row)
            if deaths.are_too_many:
                raise TrainingError("the training nursery keeps dying")
