"""Serving an ASGI application from a thread, on a socket that listens already: whoever asks too early just waits."""

import os
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from services.core.domain.errors import SpecError
from services.core.sockets import SocketFolder

_FOLDER_PREFIX = "driftloop-api-"
_SOCKET_NAME = "api.sock"
LAST_ANSWERS_S = 3
"""How long answers under way may take once a service is to stop; who watches a run comes back by itself."""


@contextmanager
def served(app: Any, listener: socket.socket) -> Generator[None]:
    """Answer on `listener` while the block runs; closes it."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=LAST_ANSWERS_S
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="api", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def private_listener() -> Generator[tuple[Path, socket.socket]]:
    """Listen on a Unix socket that only this user reaches; yields its path too. Nothing of it is left behind."""
    folder = SocketFolder(_FOLDER_PREFIX, {_SOCKET_NAME})
    path = folder.path / _SOCKET_NAME
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        listener.listen()
        yield path, listener
    finally:
        listener.close()
        folder.close()


def public_listener(host: str, port: int) -> socket.socket:
    """Listen on a TCP address. Raises `SpecError` if that can't be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
        raise SpecError(f"--host {host} --port {port}: {why}; name another port or host") from None
