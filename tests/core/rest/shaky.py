"""A service over a bad line: real HTTP on a real socket, where some connections end before the answer."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Step = Literal["cut"] | bytes
"""What happens to a request: the connection is cut after it was read, or it is answered with these bytes and cut."""


def answer(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """Return an HTTP answer, whole."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass
class Shaky:
    """Where it listens, and which requests it has read: method, path and headers."""

    url: str
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def shaky(steps: Sequence[Step]) -> Iterator[Shaky]:
    """Serve one request a connection, by the steps; after the last nobody listens any more."""
    listener = socket.create_server(("127.0.0.1", 0))
    service = Shaky(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def serve() -> None:
        for step in steps:
            connection, _ = listener.accept()
            with connection:
                service.requests.append(_read(connection))
                if step != "cut":
                    connection.sendall(step)
        listener.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield service
    listener.close()


def _read(connection: socket.socket) -> tuple[str, str, dict[str, str]]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    method, path, _ = first.split(" ")
    return method, path, headers
