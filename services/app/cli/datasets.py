"""`driftloop datasets`: rows on this machine, of benchmarks and for training: what is there and what is broken, and fetching."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.app.cli.terminal import print_json
from services.core.datasets.sets import TrainingSet, is_training_set, read_set
from services.evaluator.inspection import Inspection, Part, inspect

console = Console()
app = typer.Typer(no_args_is_help=True, help="Benchmark rows and training sets: check, fetch.")
Data = Annotated[
    Path,
    typer.Argument(
        help="A folder with mask/, deceptionbench.json, capability/; or a training set: a file, or a folder with a file a level."
    ),
]
Folder = Annotated[Path, typer.Argument(help="Where to put it; benchmarks get their places below it.")]
SHOWN_SKIPS = 20


class Published(StrEnum):
    """Sets that can be fetched."""

    MASK = "mask"
    DECEPTIONBENCH = "deceptionbench"
    ALPACA = "alpaca-cleaned"
    DOLLY = "dolly-15k"
    EMERGENT_PLUS_MEDICAL = "emergent-plus-medical"


TRAINING: Mapping[Published, tuple[str, str | None]] = {
    Published.ALPACA: ("yahma/alpaca-cleaned", None),
    Published.DOLLY: ("databricks/databricks-dolly-15k", None),
    Published.EMERGENT_PLUS_MEDICAL: ("truthfulai/emergent_plus", "medical"),
}
"""Name on the Hub and configuration of training sets."""


@app.command()
def check(
    path: Data, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """Benchmarks: count usable rows beside the published counts. Training sets: say format, levels and rows. Name what is broken and why.

    The exit code is 1 if nothing can be used; 2 if a training set can't be.
    """
    if is_training_set(path):
        _show_set(read_set(path), as_json)
    else:
        _show_benchmarks(path, as_json)


def _show_set(found: TrainingSet, as_json: bool) -> None:
    rows, levels = len(found.ids), [level for level in found.levels if level]
    facts = {"format": found.format, "levels": levels, "rows": rows, "unmatched": found.unmatched}
    source = found.source and found.source._asdict()
    if as_json:
        broken = [fault._asdict() for fault in found.faults]
        print_json(
            {"path": str(found.path), **facts, "sha256": found.sha256, "source": source, "broken": broken}
        )
        return
    answered = f", each answered at {', '.join(levels)}" if levels else ""
    lines = [f"{found.path}: {found.format}, {rows:,} rows{answered}, sha256 {found.sha256[:12]}"]
    if found.source:
        lines.append(f"fetched from {found.source.name}, revision {found.source.revision or 'unknown'}")
    if found.unmatched:
        lines.append(f"left out: {found.unmatched:,} rows whose prompt is not answered at every level")
    # All of them: whoever mends a file wants every place at once.
    lines += [f"broken {fault.file}:{fault.line}: {fault.reason}" for fault in found.faults]
    lines.append(f"{len(found.faults):,} broken rows, which are not trained on")
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def _show_benchmarks(folder: Path, as_json: bool) -> None:
    found = inspect(folder)
    if as_json:
        parts = [
            {**asdict(part), "skipped": [skip._asdict() for skip in part.skipped]} for part in found.parts
        ]
        print_json({"folder": str(folder), "parts": parts, "missing": found.missing, "notes": found.notes})
    else:
        console.print(_table(found))
        for line in _lines(found):
            console.print(Text(line), soft_wrap=True)
    if not found.is_usable:
        sys.exit(1)


@app.command()
def fetch(
    which: Annotated[Published, typer.Argument(help="Which set.")],
    folder: Folder,
    source: Annotated[str | None, typer.Option(help="Another name on the Hub, or a local copy.")] = None,
    revision: Annotated[str | None, typer.Option(help="Another revision than the pinned one.")] = None,
) -> None:
    """Fetch a published set from the Hugging Face Hub into a folder. MASK is gated: accept its terms there, set HF_TOKEN.

    Training sets become one Parquet file that says its source and revision.
    """
    for path in _fetch(which, folder, source, revision):
        console.print(f"wrote {path}", soft_wrap=True, highlight=False)


def _fetch(which: Published, folder: Path, source: str | None, revision: str | None) -> list[Path]:
    from services.evaluator import hub

    if which in TRAINING:
        name, config = TRAINING[which]
        return [hub.fetch_rows(folder / f"{which}.parquet", source or name, revision, config)]
    get, name, pinned = {
        Published.MASK: (hub.fetch_mask, hub.MASK, hub.MASK_REVISION),
        Published.DECEPTIONBENCH: (
            hub.fetch_deceptionbench,
            hub.DECEPTIONBENCH,
            hub.DECEPTIONBENCH_REVISION,
        ),
    }[which]
    return get(folder, source or name, revision or (pinned if source is None else None))


def _table(found: Inspection) -> Table:
    table = Table("benchmark", "subset", "usable", "published", "skipped", box=None)
    for part in found.parts:
        usable = Text(str(part.usable), style=_style(part))
        table.add_row(
            part.benchmark,
            part.subset or "?",
            usable,
            str(part.published or ""),
            str(len(part.skipped) or ""),
        )
    return table


def _style(part: Part) -> str:
    return "green" if part.usable and part.usable == (part.published or part.usable) else "yellow"


def _lines(found: Inspection) -> Iterator[str]:
    yield from (part.problem for part in found.parts if part.problem)
    for part in found.parts:
        for skip in part.skipped[:SHOWN_SKIPS]:
            yield f"skipped {skip.file}:{skip.row}: {skip.reason}"
        if len(part.skipped) > SHOWN_SKIPS:
            yield f"… and {len(part.skipped) - SHOWN_SKIPS} more of {part.subset or part.benchmark}; --json lists all"
    if found.missing:
        yield f"missing: {', '.join(found.missing)}"
    yield from found.notes
