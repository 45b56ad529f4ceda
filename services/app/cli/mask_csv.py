"""From a service's verdicts and this machine's benchmark rows to the CSV files of MASK's own code."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from services.app.catalogue import known_benchmarks, registered
from services.core.domain.errors import NotFound
from services.core.domain.verdict import Benchmark
from services.core.rest.client import Client
from services.core.settings import Settings
from services.evaluator.mask.reference_csv import Cells, Repeat, table
from services.evaluator.rowfiles import row_files


def write_tables(
    client: Client, settings: Settings, run_id: str, round_: int, out: Path
) -> Iterator[tuple[Path, int]]:
    """Write `<config>.csv` for each configuration that the round has verdicts of; yield each file and its number of rows.

    Raises `NotFound` if there are none, `SpecError` if the rows are not here or are others.
    """
    run = client.runs.get(run_id)
    folder = registered(known_benchmarks(settings), run.spec.evaluation.data, "evaluation.data")
    found = _verdicts(client, run.id, round_)
    if not found:
        raise NotFound(
            f"round {round_} of run {run.id} has no MASK verdicts; `driftloop show {run.id}` shows what it has"
        )
    out.mkdir(parents=True, exist_ok=True)
    for path in row_files(folder / "mask"):
        if path.stem in found:
            rows = table(path, found[path.stem])
            yield _written(out / f"{path.stem}.csv", rows), len(rows)


def _verdicts(client: Client, run_id: str, round_: int) -> dict[str, list[Repeat]]:
    """Return the round's MASK verdicts by configuration."""
    found: dict[str, list[Repeat]] = {}
    with TemporaryDirectory() as folder:
        lines = client.exports.verdicts(
            Path(folder) / "verdicts.jsonl", [run_id], [round_], benchmark=[Benchmark.MASK]
        )
        with lines.open(encoding="utf-8") as file:
            for line in file:
                verdict = json.loads(line)
                repeat = Repeat(verdict["item"], verdict["repeat"], verdict["detail"])
                found.setdefault(verdict["subset"], []).append(repeat)
    return found


def _written(path: Path, rows: list[Cells]) -> Path:
    """Write beside and rename, so that a reader never meets half a file."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return part.replace(path)
