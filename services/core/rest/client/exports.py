"""Exports, as a client asks for them: files of everything that a filter matches, in the format of the file's name."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.core.domain.errors import SpecError
from services.core.domain.verdict import Benchmark
from services.core.rest.client.connection import Connection
from services.core.rest.client.trajectories import Which

FORMATS = (".jsonl", ".parquet")
Tell = Callable[[int], object]
"""Told how many bytes are there, as they come."""


class Exports:
    """Everything of a service as files, which appear when they are whole. Datasets' `load_dataset` reads both formats."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def trajectories(self, target: Path, which: Which, tell: Tell | None = None) -> Path:
        """Write whole conversations by id. Raises `NotFound`, `SpecError`."""
        return self._save("trajectories", target, which.query(), tell)

    def selections(
        self, target: Path, runs: Sequence[str], rounds: Sequence[int] = (), tell: Tell | None = None
    ) -> Path:
        """Write the rows that trained rounds (all, unless some are named), ready for TRL. Raises `NotFound`, `SpecError`."""
        return self._save("selections", target, {"run": runs, "round": rounds}, tell)

    def verdicts(  # the filters
        self,
        target: Path,
        runs: Sequence[str],
        rounds: Sequence[int] = (),
        *,
        benchmark: Sequence[Benchmark] = (),
        subset: Sequence[str] = (),
        outcome: Sequence[str] = (),
        tell: Tell | None = None,
    ) -> Path:
        """Write judged items with replies and the judge's raw text. Raises `NotFound`, `SpecError`."""
        narrowed = {"benchmark": benchmark, "subset": subset, "outcome": outcome}
        return self._save("verdicts", target, {"run": runs, "round": rounds, **narrowed}, tell)

    def _save(self, noun: str, target: Path, query: dict[str, Any], tell: Tell | None) -> Path:
        if target.suffix not in FORMATS:
            raise SpecError(f"{target}: is no export's name; end it in {' or '.join(FORMATS)}")
        query["format"] = target.suffix.removeprefix(".")
        return self._connection.save(f"/v1/exports/{noun}", target, query, tell)
