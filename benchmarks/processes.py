"""Processes that benchmarks compare or need: a model server on a free port, and a Python with other people's packages."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def server(module: str, *arguments: object) -> Generator[str]:
    """Run a module as a server, given `--port`, until left; yield its URL once it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", module, "--port", str(port), *map(str, arguments)])
    try:
        while not _listens(port):
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def python_with(packages: tuple[str, ...], named: Path | None) -> Generator[Path]:
    """Yield the Python that is named, or one of its own with these packages, made for as long as it is needed."""
    if named is not None:
        yield named
        return
    folder = Path(tempfile.mkdtemp(prefix="driftloop-inspect-"))
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        made = folder / "bin/python"
        subprocess.run([made, "-m", "pip", "install", "-q", *packages], check=True)
        yield made
    finally:
        shutil.rmtree(folder)
