"""The sha256 of what a spec's names stand for."""

import hashlib
from functools import cache
from pathlib import Path


@cache
def folder_sha256(folder: Path) -> str:
    """Return the hex sha256 over the names and contents of all files in a folder, hidden ones left out."""
    digest = hashlib.sha256()
    for path in sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")
    ):
        name = path.relative_to(folder).as_posix()
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name}\x00{content}\n".encode())
    return digest.hexdigest()
