"""Which code this is, beyond its version: for reports and adapters, whose numbers another may want to make again.

A checkout has git's commit. An image or a copy has none; the hash of the package's own files is the same in all of them.
"""

import hashlib
import subprocess
from functools import cache
from pathlib import Path

from services.core.settings import PROJECT

_GIT_S = 10.0


@cache
def commit(checkout: Path = PROJECT) -> str | None:
    """Return the commit that is checked out, with `+changes` if files of it were edited; None where git can't tell."""
    # Not git's own search: a copy of the project inside another repository is not of that repository's commit.
    if not (checkout / ".git").exists():
        return None
    try:
        edited = _git(checkout, "status", "--porcelain", "--untracked-files=no")
        return _git(checkout, "rev-parse", "HEAD") + ("+changes" if edited else "")
    except (OSError, subprocess.SubprocessError):
        return None


@cache
def sources_sha256(package: Path = PROJECT / "services") -> str:
    """Return the hex sha256 over names and contents of the package's files, as they are when first asked for."""
    digest = hashlib.sha256()
    for path in sorted(filter(_is_source, package.rglob("*"))):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(package).as_posix()}\x00{content}\n".encode())
    return digest.hexdigest()


def _is_source(path: Path) -> bool:
    return path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=_GIT_S).stdout.strip()
