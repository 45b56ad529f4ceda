"""Exporting everything, and how much memory the process takes for it: server and reader are one process here, so both count."""

import tempfile
import threading
import time
from collections.abc import Generator
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
    """The process's peak over what it had before, after these shares of the rows: `MARKS`, or the whole."""


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


def export_lines(client: httpx2.Client, rows: int, query: dict[str, str] | None = None) -> Exported:
    """Read everything as JSON lines, keeping nothing; `rows` are expected."""
    began, seen, size = time.monotonic(), 0, 0
    growth: list[float] = []
    with _watched() as peak, client.stream("GET", PATH, params=query) as answer:
        answer.raise_for_status()
        for piece in answer.iter_raw():
            seen, size = seen + piece.count(b"\n"), size + len(piece)
            if len(growth) < len(MARKS) and seen >= rows * MARKS[len(growth)]:
                growth.append(peak.growth_mib)
    return Exported("JSON lines", seen, size, time.monotonic() - began, tuple(growth))


def export_columns(client: httpx2.Client, folder: Path) -> Exported:
    """Read everything as Parquet, into a file that is counted and removed."""
    began = time.monotonic()
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        with _watched() as peak, client.stream("GET", PATH, params={"format": "parquet"}) as answer:
            answer.raise_for_status()
            for piece in answer.iter_raw():
                file.write(piece)
        file.flush()
        took_s, size = time.monotonic() - began, file.tell()
        rows = int(pq.ParquetFile(file.name).metadata.num_rows)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return Exported("Parquet", rows, size, took_s, (peak.growth_mib,))
