"""The inline worker: a crew of worker processes, one a core, with the training nursery beside them.

The crew does what queue workers on other machines would do, with the same calls and no Redis. Whoever opens it may
die in any way: its processes see the end of their standard input and go. A worker that dies is replaced; its shard
is owed again as soon as its lease runs out.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import IO

from services.app.deaths import Deaths
from services.core.domain.errors import LoopError
from services.core.settings import Settings
from services.trainer.nursery import Nursery

STOP_S = 10.0


class Crew:
    """Worker processes that are kept alive, for some runs or for all."""

    def __init__(self, settings: Settings, url: str, nursery: Nursery, run_ids: Sequence[str] | None = None):
        self._nursery = nursery
        self._run_ids = run_ids
        self._environment = os.environ | {
            "DRIFTLOOP_DATABASE_URL": url,
            "DRIFTLOOP_DATA": str(settings.data),
            "DRIFTLOOP_LEASE_S": str(settings.lease_s),
            "DRIFTLOOP_NURSERY": str(nursery.socket_path),
            # Two threads of a small model on two busy cores are many times slower than one.
            "OMP_NUM_THREADS": "1",
        }
        self._log_path = settings.logs / "workers.log"
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self._log: IO[bytes] = self._log_path.open("ab")
        self._deaths = Deaths()
        self._processes = [self._start() for _ in range(settings.workers)]

    def tend(self) -> None:
        """Replace processes that died. Raises `LoopError` when that has happened too often."""
        if self._nursery.tend():
            self._count_death("the training nursery keeps dying")
        for index, process in enumerate(self._processes):
            if process.poll() is not None:
                self._count_death(f"workers keep dying (last exit {process.returncode})")
                self._processes[index] = self._start()

    def _count_death(self, complaint: str) -> None:
        self._deaths.count(time.monotonic())
        if self._deaths.are_too_many:
            raise LoopError(f"{complaint}; see {self._log_path}")

    def stop(self) -> None:
        """Ask all to hand back and end; kill those that do not."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()

    def _start(self) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C in the terminal reaches the owner alone, which then stops the crew in order.
        return subprocess.Popen(
            # As arguments the ids of a hundred thousand runs would still fit.
            [sys.executable, "-m", "services.app.worker_process", *(self._run_ids or ())],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            env=self._environment,
            start_new_session=True,
        )


@contextmanager
def crew(settings: Settings, url: str, run_ids: Sequence[str] | None = None) -> Generator[Crew]:
    """Run a crew while the block runs, for some runs or for all; nothing is left behind."""
    with Nursery() as nursery:
        members = Crew(settings, url, nursery, run_ids)
        # A polite kill of the owner ends the block, so that the crew is stopped in order.
        previous = signal.signal(signal.SIGTERM, _interrupt)
        try:
            yield members
        finally:
            signal.signal(signal.SIGTERM, previous)
            members.stop()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
