"""One training on several devices: a process each, which accelerate joins by what the environment says of their ranks.

The nursery's child starts them and only watches. They end when it does, in whatever way (each sees the end of its standard
input), and when one of them fails the others are killed. Rank 0 tells the progress, and writes the adapter.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from services.core.domain.errors import TrainingError
from services.trainer.job import TrainingJob

_POLL_S = 0.1


def train_on_all(job: TrainingJob, report: Callable[[int, int], None]) -> None:
    """Train a job on its devices; the adapter is then in its place. Raises `TrainingError` if a process fails."""
    reading, writing = os.pipe()
    with _processes(job, writing) as ranks:
        os.close(writing)
        threading.Thread(target=_tell, args=(reading, report), daemon=True).start()
        codes = _await_all(ranks)
    failed = {rank: code for rank, code in enumerate(codes) if code}
    if failed:
        raise TrainingError(f"of {job.devices} training processes, these failed (rank: exit code): {failed}")


def _await_all(ranks: Sequence[subprocess.Popen[bytes]]) -> list[int | None]:
    """Return the exit codes: all of them, or those so far when one process has failed."""
    while True:
        codes = [rank.poll() for rank in ranks]
        if any(codes) or None not in codes:
            return codes
        time.sleep(_POLL_S)


@contextmanager
def _processes(job: TrainingJob, progress: int) -> Generator[Sequence[subprocess.Popen[bytes]]]:
    shared = {"WORLD_SIZE": job.devices, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": _free_port()}
    ranks = [
        _start(rank, {**shared, "RANK": rank, "LOCAL_RANK": rank}, progress) for rank in range(job.devices)
    ]
    try:
        for rank in ranks:
            assert rank.stdin is not None
            rank.stdin.write(job.model_dump_json().encode() + b"\n")
            rank.stdin.flush()
        yield ranks
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()


def _start(rank: int, place: dict[str, int | str], progress: int) -> subprocess.Popen[bytes]:
    told = {"DRIFTLOOP_PROGRESS_FD": progress} if rank == 0 else {}
    return subprocess.Popen(
        [sys.executable, "-m", "services.trainer.rank"],
        stdin=subprocess.PIPE,
        env=os.environ | {name: str(value) for name, value in (place | told).items()},
        pass_fds=[progress] if told else [],
    )


def _tell(reading: int, report: Callable[[int, int], None]) -> None:
    with os.fdopen(reading) as lines:
        for line in lines:
            report(*json.loads(line))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
