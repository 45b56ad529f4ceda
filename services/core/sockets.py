"""Private folders for Unix sockets: short, for the user alone, and gone when their owner is.

A socket's path may have about a hundred bytes, which a data folder easily exceeds; a temporary folder does not. Its owner
holds a lock on it, which ends with the owner however that ends; whoever next makes a folder of the same kind removes those
that nobody holds.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

_LONGEST_PATH = 100
"""Bytes: unix sockets allow 104 (macOS) or 108 (Linux)."""
_LONGEST_NAME = 16


class SocketFolder:
    """A locked private folder named `prefix…`, for files with these `names` only."""

    def __init__(self, prefix: str, names: Collection[str]):
        self._names = frozenset(names)
        while True:
            self.path = _private_folder(prefix)
            self._sweep(prefix)
            self._lock = os.open(self.path, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if self.path.exists():
                return
            os.close(self._lock)  # a sweeper took it between the two calls

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def _sweep(self, prefix: str) -> None:
        """Remove what owners that were killed left: folders whose lock nobody holds."""
        for leftover in self.path.parent.glob(f"{prefix}*"):
            if leftover != self.path:
                with contextlib.suppress(OSError):
                    self._remove_unless_held(leftover)

    def _remove_unless_held(self, folder: Path) -> None:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if {path.name for path in folder.iterdir()} <= self._names:
                shutil.rmtree(folder)
        finally:
            os.close(lock)


def _private_folder(prefix: str) -> Path:
    """Make a folder for the user alone, short enough for a socket's path even where TMPDIR is not."""
    folder = tempfile.mkdtemp(prefix=prefix)
    if len(os.fsencode(folder)) > _LONGEST_PATH - 1 - _LONGEST_NAME:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix=prefix, dir="/tmp")
    return Path(folder)
