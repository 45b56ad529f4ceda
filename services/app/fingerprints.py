"""The sha256 of what a spec's names stand for, and what is read of it: both as the files are now.

A worker or a service lives for weeks, and files are edited under it. So nothing is kept for the life of a process: what was hashed or
read is kept for as long as the files have the same names, sizes and times of change, which costs a look at each and no reading.

Of files over 64 MiB, which are a large model's weights, the size and both ends stand for the whole (a safetensors file begins with
the place of every tensor): reading them all would take minutes.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_LARGE_BYTES = 64 << 20
_END_BYTES = 1 << 20

Value = TypeVar("Value")
Stamp = tuple[tuple[str, int, int], ...]
"""Of each file: name, bytes, nanoseconds of its last change (ctime: unlike mtime, no copy or synchronisation sets it back)."""


def kept_while_unchanged(read: Callable[[Path], Value]) -> Callable[[Path], Value]:
    """Return `read` of a file or folder, done again only when its files have changed; one value a path is kept."""
    kept: dict[Path, tuple[Stamp, Value]] = {}

    def reading(place: Path) -> Value:
        now = _stamp(place)
        found = kept.get(place)
        if found is None or found[0] != now:
            # The stamp is the older of the two: files that change while they are read are read again.
            kept[place] = found = now, read(place)
        return found[1]

    return reading


def _sha256(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\x00{_content_sha256(path)}\n".encode())
    return digest.hexdigest()


folder_sha256 = kept_while_unchanged(_sha256)
"""The hex sha256 over the names and contents of all files in a folder, hidden ones left out."""


def _files(place: Path) -> list[Path]:
    """Return a file itself, or a folder's files, hidden ones left out."""
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("*") if path.is_file() and not path.name.startswith("."))


def _stamp(place: Path) -> Stamp:
    looked_at = ((path, path.stat()) for path in _files(place))
    return tuple((str(path), stat.st_size, stat.st_ctime_ns) for path, stat in looked_at)


def _content_sha256(path: Path) -> str:
    size = path.stat().st_size
    if size <= _LARGE_BYTES:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with path.open("rb") as file:
        first = file.read(_END_BYTES)
        file.seek(-_END_BYTES, 2)
        return hashlib.sha256(b"%d %b %b" % (size, first, file.read())).hexdigest()
