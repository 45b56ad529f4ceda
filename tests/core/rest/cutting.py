"""A line that is cut again and again: a TCP proxy that lets a few bytes of an answer through and hangs up."""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Line:
    """Where it listens, and how often it has hung up."""

    url: str
    cuts: int = 0


@contextmanager
def cut_line(url: str, seed: int, cuts: int) -> Iterator[Line]:
    """Forward to a service; the first `cuts` answers break off after 200 to 2000 bytes."""
    listener = socket.create_server(("127.0.0.1", 0))
    line = Line(f"http://127.0.0.1:{listener.getsockname()[1]}")
    target = urlsplit(url)
    draw = random.Random(seed)

    def forward(caller: socket.socket) -> None:
        limit = draw.randint(200, 2000) if line.cuts < cuts else None
        with caller, socket.create_connection((str(target.hostname), target.port or 80)) as service:
            up = threading.Thread(target=_pump, args=(caller, service, None), daemon=True)
            up.start()
            if _pump(service, caller, limit):
                line.cuts += 1
            for end in (caller, service):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            up.join()

    def accept() -> None:
        with suppress(OSError):
            while True:
                forward_one = threading.Thread(target=forward, args=(listener.accept()[0],), daemon=True)
                forward_one.start()

    threading.Thread(target=accept, daemon=True).start()
    yield line
    listener.close()


def _pump(source: socket.socket, sink: socket.socket, limit: int | None) -> bool:
    """Copy until the source ends, or `limit` bytes went through; return whether the limit ended it."""
    with suppress(OSError):
        while limit is None or limit > 0:
            data = source.recv(65536 if limit is None else min(limit, 65536))
            if not data:
                return False
            sink.sendall(data)
            limit = None if limit is None else limit - len(data)
        return True
    return False
