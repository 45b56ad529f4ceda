"""Exporting everything, and how much memory the process takes for it: server and reader are one process here, so both count."""

import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import httpx2
import psutil
import pyarrow.parquet as pq

PATH: Final = "/v1/exports/trajectories"
MARKS: Final = (0.1, 0.5, 1.0)
_LOOK_EVERY_S: Final = 0.02
_MIB: Final = 1 << 20


class Exported(NamedTuple):
    """One export."""

    name: str
    rows: int
    size_bytes: int
    took_s: float
    growth_mib: tuple[float, ...]
    """The process's peak so far over what it had before, after these shares of the whole: `MARKS`."""


class Noted(NamedTuple):
    """How the process stood when so much had come."""

    size_bytes: int
    growth_mib: float


class Peak:
    """The most memory that the process has had since it was first looked at."""

    def __init__(self) -> None:
        self._before = self._most = psutil.Process().memory_info().rss
        self.is_over = False

    def watch(self) -> None:
        """Look again and again until it is over."""
        while not self.is_over:
            self._most = max(self._most, psutil.Process().memory_info().rss)
            time.sleep(_LOOK_EVERY_S)

    @property
    def growth_mib(self) -> float:
        """How much more it was than at first."""
        return (self._most - self._before) / _MIB


@contextmanager
def _watched() -> Generator[Peak]:
    peak = Peak()
    thread = threading.Thread(target=peak.watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        peak.is_over = True
        thread.join()


def export_lines(client: httpx2.Client, query: dict[str, str] | None = None) -> Exported:
    """Read everything as JSON lines, keeping nothing."""
    began, rows = time.monotonic(), 0
    noted: list[Noted] = [Noted(0, 0)]
    for piece in _pieces(client, query or {}, noted):
        rows += piece.count(b"\n")
    return Exported("JSON lines", rows, noted[-1].size_bytes, time.monotonic() - began, _at_marks(noted))


def export_columns(client: httpx2.Client, folder: Path) -> Exported:
    """Read everything as Parquet, into a file that is counted and removed."""
    began = time.monotonic()
    noted: list[Noted] = [Noted(0, 0)]
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for piece in _pieces(client, {"format": "parquet"}, noted):
            file.write(piece)
        file.flush()
        took_s = time.monotonic() - began
        rows = int(pq.ParquetFile(file.name).metadata.num_rows)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return Exported("Parquet", rows, noted[-1].size_bytes, took_s, _at_marks(noted))


def _pieces(client: httpx2.Client, query: dict[str, str], noted: list[Noted]) -> Iterator[bytes]:
    """Yield an export as it comes, and note the memory that it has taken."""
    with _watched() as peak, client.stream("GET", PATH, params=query) as answer:
        answer.raise_for_status()
        size = 0
        for piece in answer.iter_raw():
            size += len(piece)
            if (
                size >= noted[-1].size_bytes + _MIB
            ):  # a line is a piece, and a million notes would be growth themselves
                noted.append(Noted(size, peak.growth_mib))
            yield piece
        noted.append(Noted(size, peak.growth_mib))


def _at_marks(noted: Sequence[Noted]) -> tuple[float, ...]:
    total = noted[-1].size_bytes
    return tuple(next(one.growth_mib for one in noted if one.size_bytes >= mark * total) for mark in MARKS)
