"""The nursery as its owner and its callers see it: start it, send it jobs.

The app's supervisor owns it (`with Nursery() as nursery`); any of its worker processes calls `train` with
the socket's path. Nothing here imports torch.
"""

import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.core.domain.errors import TrainingError
from services.trainer.fork_server import LOG_NAME
from services.trainer.job import TrainedAdapter, TrainingJob

_LONGEST_SOCKET_PATH = 100
"""Bytes: unix sockets allow 104 (macOS) or 108 (Linux)."""
_FOLDER_PREFIX = "driftloop-nursery-"
_SOCKET_NAME = "nursery.sock"
_LAST_LINES = 12
_REPLACED_WITHIN_S = 10.0
"""A nursery that died has a successor well before this, if its owner lives."""


class Nursery:
    """A running nursery process; it and its trainings end with `stop`, or with the process that started it."""

    def __init__(self):
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_path: Path | None = None
        self._folder_lock: int | None = None

    @property
    def socket_path(self) -> Path:
        """Where `train` finds it, once started."""
        if self._socket_path is None:
            raise TrainingError("the nursery is not started")
        return self._socket_path

    def start(self) -> "Nursery":
        """Start the process and return as soon as it takes jobs; it goes on importing for some seconds."""
        folder, self._folder_lock = _locked_folder()
        self._socket_path = folder / _SOCKET_NAME
        self._spawn()
        return self

    def tend(self) -> bool:
        """Replace a process that died, at the same socket; return whether it had."""
        if self._process is None or self._process.poll() is None:
            return False
        self.socket_path.unlink(missing_ok=True)
        self._spawn()
        return True

    def _spawn(self) -> None:
        with self._log_path().open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.trainer.fork_server", str(self.socket_path)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the owner to answer
            )
        self._await_socket(self._process)

    def stop(self, timeout_s: float = 10) -> None:
        """End the nursery and every training in it."""
        if self._process is None or self._process.stdin is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdin.close()
        self._process = None
        shutil.rmtree(self.socket_path.parent, ignore_errors=True)
        if self._folder_lock is not None:
            os.close(self._folder_lock)
            self._folder_lock = None

    def __enter__(self) -> "Nursery":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _log_path(self) -> Path:
        return self.socket_path.with_name(LOG_NAME)

    def _await_socket(self, process: subprocess.Popen[bytes], timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while not self.socket_path.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                log = _last_lines(self._log_path())
                self.stop()
                raise TrainingError(f"the nursery did not start; its log:\n{log}")
            time.sleep(0.01)


def train(
    socket_path: Path, job: TrainingJob, log_path: Path, on_progress: Callable[[int, int], None]
) -> TrainedAdapter:
    """Train a job in a child of the nursery and return the finished adapter.

    `on_progress(steps done, steps in all)` is called in this thread after every step; if it raises, the training is
    killed. Raises TrainingError with the log's last lines when the child fails or is killed.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with _connected(socket_path) as connection:
        try:
            request = {"job": job.model_dump(mode="json"), "log": str(log_path.absolute())}
            connection.sendall(json.dumps(request).encode() + b"\n")
            answers = _answers(connection, on_progress)
        except ConnectionError:
            raise TrainingError("the nursery ended before the training; was it stopped?") from None
    trained = answers.get("trained")
    if answers.get("ended") != 0 or trained is None:
        raise TrainingError(f"{_cause(answers)}; last lines of {log_path}:\n{_last_lines(log_path)}")
    return TrainedAdapter(**trained | {"path": Path(trained["path"])})


def _connected(socket_path: Path) -> socket.socket:
    """Connect to the nursery, waiting a while for one that is being replaced."""
    deadline = time.monotonic() + _REPLACED_WITHIN_S
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(socket_path))
            return connection
        except (FileNotFoundError, ConnectionError):
            connection.close()
            if time.monotonic() > deadline:
                raise TrainingError(f"no nursery listens on {socket_path}; was it stopped?") from None
        time.sleep(0.1)


def _answers(connection: socket.socket, on_progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Read until the connection closes; return all but the progress."""
    answers: dict[str, Any] = {}
    with connection.makefile("rb") as lines:
        for line in lines:
            message: dict[str, Any] = json.loads(line)
            if "progress" in message:
                on_progress(*message["progress"])
            else:
                answers |= message
    return answers


def _cause(answers: dict[str, Any]) -> str:
    ended = answers.get("ended")
    if ended is None:
        return "the nursery ended during the training"
    if ended < 0:
        return f"the training child was killed by signal {-ended}"
    return f"the training child failed: {answers.get('error', f'exit code {ended}')}"


def _last_lines(log_path: Path) -> str:
    try:
        return "\n".join(log_path.read_text(errors="replace").splitlines()[-_LAST_LINES:])
    except OSError:
        return "(no log)"


def _locked_folder() -> tuple[Path, int]:
    """Make a private folder and hold its lock, which ends with this process however that ends."""
    while True:
        folder = _private_folder()
        _sweep(folder)
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        os.close(lock)  # a sweeper took it between the two calls


def _private_folder() -> Path:
    """Make a folder for the user alone, short enough for a socket's path even where TMPDIR is not."""
    folder = tempfile.mkdtemp(prefix=_FOLDER_PREFIX)
    if len(os.fsencode(folder)) > _LONGEST_SOCKET_PATH - len(f"/{_SOCKET_NAME}"):
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir="/tmp")
    return Path(folder)


def _sweep(own: Path) -> None:
    """Remove what owners and nurseries that were killed together left: folders whose lock nobody holds."""
    for leftover in own.parent.glob(f"{_FOLDER_PREFIX}*"):
        if leftover != own:
            with contextlib.suppress(OSError):
                _remove_unless_held(leftover)


def _remove_unless_held(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if {path.name for path in folder.iterdir()} <= {_SOCKET_NAME, LOG_NAME}:
            shutil.rmtree(folder)
    finally:
        os.close(lock)
