"""The nursery's process: it has everything that a training imports loaded, and forks a child for each job.

`python -m services.trainer.fork_server SOCKET_PATH` listens on a unix socket. A connection sends one line, a JSON object
of `job` and `log`; its child trains, with stdout and stderr in the log, and answers in JSON lines: `progress`, then
`trained` or `error`. When the child has ended the nursery adds `ended` (exit code, or minus the signal) and closes. A
connection that closes first takes its child with it. Any number of jobs run at once.

It forks safely because it stays single-threaded, opens no model and asks nothing of a GPU. It ends, children and
socket included, when its stdin closes or its parent dies. This module imports no torch; `_preload` does.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

LOG_NAME = "nursery.log"
"""The log that stands beside the socket goes with it."""

_POLL_S = 0.2
"""How often a process looks whether its parent is alive."""

_PRELOADED = (
    "services.trainer.child",
    "torch.profiler._cupti_monitor",
    "transformers.models.llama.modeling_llama",
    "transformers.models.qwen2.modeling_qwen2",
    "peft.utils.transformers_weight_conversion",
)

_ENVIRONMENT = {
    # One thread before the fork: these libraries start pools when they are imported.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "TOKENIZERS_PARALLELISM": "false",
    # Looking for a GPU must not open the driver, which would not survive the fork.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    # A base is a folder: nothing is fetched, nothing reported, and no bar is drawn into a log.
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
}


@dataclass
class _Client:
    """A connection: what it has sent so far, and then the child that works for it."""

    connection: socket.socket
    received: bytearray = field(default_factory=bytearray)
    pid: int | None = None


def main() -> None:
    """Serve until stdin closes."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m services.trainer.fork_server SOCKET_PATH")
    os.environ.update(_ENVIRONMENT)
    _watch_owner()
    path = Path(sys.argv[1])
    server = Server(_listen(path))
    try:
        _preload()
        server.serve()
    finally:
        signal.pthread_sigmask(
            signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGTERM}
        )  # one reason to leave is enough
        server.end_children()
        path.unlink(missing_ok=True)
        path.with_name(LOG_NAME).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def _watch_owner() -> None:
    """Leave soon after the parent has died, also in the middle of an import."""
    owner = os.getppid()

    def look(*_: object) -> None:
        if os.getppid() != owner:
            sys.exit(0)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _POLL_S, _POLL_S)  # children do not inherit it
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner to answer


def _leave(*_: object) -> NoReturn:
    sys.exit(0)


def _take_note(*_: object) -> None:
    pass


def _listen(path: Path) -> socket.socket:
    """Bind before the slow imports, so that early callers wait in the queue; take over a socket nobody serves."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if path.is_socket():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(str(path)) == 0:
                sys.exit(f"a nursery already listens on {path}")
        path.unlink()
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(64)
    return listener


def _preload() -> None:
    began_s = time.monotonic()
    for name in _PRELOADED:
        importlib.import_module(name)
    # Children then share these pages, and their collections do not walk them.
    gc.collect()
    gc.freeze()
    print(f"nursery {os.getpid()} ready in {time.monotonic() - began_s:.1f} s", flush=True)


class Server:
    """The loop: jobs come in, children are forked, ends are told."""

    def __init__(self, listener: socket.socket):
        self._listener = listener
        self._clients: dict[int, _Client] = {}
        """By the connection's file descriptor."""
        self._selector = selectors.DefaultSelector()
        self._wake_up, wake_up_end = socket.socketpair()
        for end in (self._wake_up, wake_up_end, listener):
            end.setblocking(False)
        self._ends = (self._wake_up, wake_up_end)
        signal.set_wakeup_fd(wake_up_end.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _take_note)  # there must be one for the wake-up to be written

    def serve(self) -> None:
        """Serve until stdin closes."""
        for source in (self._listener, self._wake_up, sys.stdin):
            self._selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is sys.stdin:
                    if not os.read(sys.stdin.fileno(), 4096):
                        return
                elif key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wake_up:
                    self._wake_up.recv(4096)
                elif key.fd in self._clients:
                    self._hear(self._clients[key.fd])
            self._reap()

    def end_children(self) -> None:
        """Kill and reap every child."""
        for client in list(self._clients.values()):
            self._drop(client)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            connection, _ = self._listener.accept()
            self._clients[connection.fileno()] = _Client(connection)
            self._selector.register(connection, selectors.EVENT_READ)

    def _hear(self, client: _Client) -> None:
        try:
            received = client.connection.recv(65536)
        except ConnectionError:
            received = b""
        if not received:
            self._drop(client)
            return
        client.received += received
        if client.pid is None and b"\n" in client.received:
            self._fork(client)

    def _fork(self, client: _Client) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_child(client)
        client.pid = pid

    def _become_child(self, client: _Client) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            for other in (self._listener, *self._ends, *(each.connection for each in self._clients.values())):
                if other is not client.connection:
                    other.close()
            code = _work(client.connection, bytes(client.received))
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        for client in list(self._clients.values()):
            if client.pid is not None:
                pid, status = os.waitpid(client.pid, os.WNOHANG)
                if pid:
                    client.pid = None
                    _send(client.connection, {"ended": os.waitstatus_to_exitcode(status)})
                    self._drop(client)

    def _drop(self, client: _Client) -> None:
        """Forget a connection; a child that still works for it is killed."""
        self._selector.unregister(client.connection)
        del self._clients[client.connection.fileno()]
        client.connection.close()
        if client.pid is not None:
            os.kill(client.pid, signal.SIGKILL)
            os.waitpid(client.pid, 0)


def _work(connection: socket.socket, request: bytes) -> int:
    """Do one job in the child; return the exit code."""
    threading.Thread(target=_die_with_parent, args=(os.getppid(),), daemon=True).start()
    connection.setblocking(True)
    try:
        _answer(connection, json.loads(request))
    except Exception as error:
        traceback.print_exc()
        _send(connection, {"error": f"{type(error).__name__}: {error}"})
        return 1
    return 0


def _answer(connection: socket.socket, request: dict[str, Any]) -> None:
    from services.trainer import child
    from services.trainer.job import TrainingJob

    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    job = TrainingJob.model_validate(request["job"])
    trained = child.run(job, lambda done, total: _send(connection, {"progress": [done, total]}))
    _send(connection, {"trained": trained._asdict() | {"path": str(trained.path)}})


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # a caller that left is noticed by the nursery
        connection.sendall(json.dumps(message).encode() + b"\n")


def _die_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    os._exit(1)


if __name__ == "__main__":
    main()
