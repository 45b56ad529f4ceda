"""The nursery as its owner and its callers see it: start it, send it jobs.

The app's supervisor owns it (`with Nursery() as nursery`); any of its worker processes calls `train` with
the socket's path. Nothing here imports torch.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from services.core.domain.errors import TrainingError
from services.core.sockets import SocketFolder
from services.trainer.fork_server import LOG_NAME
from services.trainer.job import TrainedAdapter, TrainingJob

_FOLDER_PREFIX = "driftloop-nursery-"
_SOCKET_NAME = "nursery.sock"
_LAST_LINES = 12
_CHECK_EVERY_S = 0.2
_REPLACED_WITHIN_S = 10.0
"""A nursery that died has a successor well before this, if its owner lives."""


class Nursery:
    """A running nursery process; it and its trainings end with `stop`, or with the process that started it."""

    def __init__(self):
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: SocketFolder | None = None

    @property
    def socket_path(self) -> Path:
        """Where `train` finds it, once started."""
        if self._folder is None:
            raise TrainingError("the nursery is not started")
        return self._folder.path / _SOCKET_NAME

    def start(self) -> "Nursery":
        """Start the process and return as soon as it takes jobs; it goes on importing for some seconds."""
        self._folder = SocketFolder(_FOLDER_PREFIX, {_SOCKET_NAME, LOG_NAME})
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
        if self._folder is not None:
            self._folder.close()
            self._folder = None

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
    socket_path: Path,
    job: TrainingJob,
    log_path: Path,
    on_progress: Callable[[int, int], None],
    check: Callable[[], None] = lambda: None,
) -> TrainedAdapter:
    """Train a job in a child of the nursery and return the finished adapter.

    `on_progress(steps done, steps in all)` is called in this thread after every step, `check` a few times a second; if
    one raises, the training is killed. Raises TrainingError with the log's last lines when the child fails or is killed.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with _connected(socket_path) as connection:
        try:
            request = {"job": job.model_dump(mode="json"), "log": str(log_path.absolute())}
            connection.sendall(json.dumps(request).encode() + b"\n")
            answers = _answers(connection, on_progress, check)
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


def _answers(
    connection: socket.socket, on_progress: Callable[[int, int], None], check: Callable[[], None]
) -> dict[str, Any]:
    """Read until the connection closes; return all but the progress."""
    answers: dict[str, Any] = {}
    for line in _lines(connection, check):
        message: dict[str, Any] = json.loads(line)
        if "progress" in message:
            on_progress(*message["progress"])
        else:
            answers |= message
    return answers


def _lines(connection: socket.socket, check: Callable[[], None]) -> Iterator[bytes]:
    connection.settimeout(_CHECK_EVERY_S)
    received = b""
    while True:
        check()
        try:
            more = connection.recv(65536)
        except TimeoutError:
            continue
        if not more:
            return
        *lines, received = (received + more).split(b"\n")
        yield from lines


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
