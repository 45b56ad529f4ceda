"""The fake provider in a process of its own, for as long as a test needs it."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from tests.e2e.installation import await_that


@contextmanager
def provider(**options: object) -> Iterator[str]:
    """A fake provider's process; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    process = subprocess.Popen([sys.executable, "-m", "tests.provider", "--port", str(port), *words])
    try:
        await_that(lambda: _answers(port), "the provider to answer")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/seen").status_code == 200
    except httpx2.TransportError:
        return False


def seen(url: str) -> dict[str, Any]:
    """Return what a provider was asked."""
    return httpx2.get(f"{url}/seen").json()
