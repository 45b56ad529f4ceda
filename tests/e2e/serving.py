"""A `driftloop` process that serves HTTP, for as long as a test needs it."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2

from tests.e2e.installation import DRIFTLOOP, await_that


@dataclass
class Serving:
    """A server's process, which may be killed and started again at its port."""

    words: tuple[str, ...]
    settings: dict[str, str]
    health: str
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait for its first answer."""
        command = [DRIFTLOOP, *self.words, "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=os.environ | self.settings, stdin=subprocess.DEVNULL)
        await_that(self._answers, f"{self.words} to answer")

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.words} ended by itself"
        try:
            return httpx2.get(self.url + self.health).status_code == 200
        except httpx2.TransportError:
            return False


@contextmanager
def serving(*words: str, health: str, **settings: str) -> Iterator[Serving]:
    """Serve on a free port while the block runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Serving(words, settings, health, free.getsockname()[1])
    server.start()
    try:
        yield server
    finally:
        server.kill()
