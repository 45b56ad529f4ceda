"""A folder of people under construction: what is there, and every answer that was not accepted.

Append-only, a line a write, one writer at a time (a lock says so). So a kill at any moment loses no accepted line; at most the last line
is cut off, and is dropped when the folder is opened again. Refused answers are kept in `.rejected.jsonl`, a hidden file, so that they are no part of
the environment: what they cost counts, and no place is asked the same twice.
"""

import fcntl
import os
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from services.core.domain.errors import SpecError, StateConflict
from services.simulator.profiles.lines import PersonLine, RejectedLine, files_of, read_people

REJECTED_FILE: Final = ".rejected.jsonl"
_LOCK_FILE: Final = ".lock"


class Ledger:
    """The files of a folder; open it by `open_ledger`."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._open: dict[Path, int] = {}
        self._tries: Counter[tuple[str, int]] = Counter()

    def people(self) -> Iterator[tuple[str, PersonLine]]:
        """Yield everybody who is there, with the scenario's name."""
        for path in files_of(self._folder):
            for line in read_people(path):
                yield path.stem, line

    def rejected(self) -> Iterator[RejectedLine]:
        """Yield every answer that was not accepted, and count the tries of each place."""
        path = self._folder / REJECTED_FILE
        if not path.exists():
            return
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            try:
                found = RejectedLine.model_validate_json(line)
            except ValidationError:
                raise SpecError(f"{path}:{number}: is no rejected answer; remove the line") from None
            self._tries[found.scenario, found.made.place] += 1
            yield found

    def tries(self, scenario: str, place: int) -> int:
        """Return how often a person was asked for in vain."""
        return self._tries[scenario, place]

    def accept(self, scenario: str, line: PersonLine) -> None:
        """Keep a person."""
        self._append(self._folder / f"{scenario}.jsonl", line)

    def reject(self, line: RejectedLine) -> None:
        """Keep an answer that was not accepted."""
        self._append(self._folder / REJECTED_FILE, line)
        self._tries[line.scenario, line.made.place] += 1

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            os.close(file)

    def _append(self, path: Path, line: BaseModel) -> None:
        if path not in self._open:
            self._open[path] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        data = line.model_dump_json(exclude_none=False).encode() + b"\n"
        written = os.write(self._open[path], data)
        if written < len(
            data
        ):  # the disc is full: what was written is cut off, and dropped at the next opening
            raise OSError(f"{path}: only {written} of {len(data)} bytes could be written")


@contextmanager
def open_ledger(folder: Path) -> Generator[Ledger]:
    """Open a folder for writing, alone, and drop what a kill cut off.

    Raises:
        StateConflict: somebody else writes there.
        SpecError: it can't be written, or holds what is no person.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for path in (*files_of(folder), folder / REJECTED_FILE):
                _drop_torn_end(path)
        except BlockingIOError:
            raise StateConflict(f"{folder}: another generation writes here; let it end, or stop it") from None
        except OSError as error:
            raise SpecError(f"{folder}: can't be written ({error.strerror}); name another by --out") from None
        ledger = Ledger(folder)
        stack.callback(ledger.close)
        yield ledger


def _drop_torn_end(path: Path) -> None:
    """End a file at its last whole line. What has no line end but can be read was put there by hand, and stays."""
    if not path.exists():
        return
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end == len(data):
        return
    is_whole = _is_json(data[end:])
    with path.open("r+b") as file:
        file.seek(len(data) if is_whole else end)
        file.truncate()
        if is_whole:
            file.write(b"\n")


def _is_json(line: bytes) -> bool:
    try:
        PersonLine.model_validate_json(line)
    except ValidationError:
        return False
    return True
