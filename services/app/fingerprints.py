"""The sha256 of what a spec's names stand for.

Of files over 64 MiB, which are a large model's weights, the size and both ends stand for the whole (a safetensors file begins with
the place of every tensor): reading them all would take minutes.
"""

import hashlib
from functools import cache
from pathlib import Path

_LARGE_BYTES = 64 << 20
_END_BYTES = 1 << 20


@cache
def folder_sha256(folder: Path) -> str:
    """Return the hex sha256 over the names and contents of all files in a folder, hidden ones left out."""
    digest = hashlib.sha256()
    for path in sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")
    ):
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\x00{_content_sha256(path)}\n".encode())
    return digest.hexdigest()


def _content_sha256(path: Path) -> str:
    size = path.stat().st_size
    if size <= _LARGE_BYTES:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with path.open("rb") as file:
        first = file.read(_END_BYTES)
        file.seek(-_END_BYTES, 2)
        return hashlib.sha256(b"%d %b %b" % (size, first, file.read())).hexdigest()
