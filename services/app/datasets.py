"""`driftloop datasets`: benchmark rows on this machine: what a folder holds, and fetching published sets into one."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.app.terminal import print_json
from services.evaluator.inspection import Inspection, Part, inspect

console = Console()
app = typer.Typer(no_args_is_help=True, help="Benchmark rows: check a folder, fetch published sets.")
Folder = Annotated[Path, typer.Argument(help="A folder with mask/, deceptionbench.json, capability/.")]
SHOWN_SKIPS = 20


class Published(StrEnum):
    """Sets that can be fetched."""

    MASK = "mask"
    DECEPTIONBENCH = "deceptionbench"


@app.command()
def check(
    folder: Folder, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """Count usable rows beside the published counts; say what is missing and which rows are skipped, and why.

    The exit code is 1 if nothing can be used.
    """
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
    """Fetch a published set from the Hugging Face Hub into a folder. MASK is gated: accept its terms there, set HF_TOKEN."""
    from services.evaluator import hub

    get, name, pinned = {
        Published.MASK: (hub.fetch_mask, hub.MASK, hub.MASK_REVISION),
        Published.DECEPTIONBENCH: (
            hub.fetch_deceptionbench,
            hub.DECEPTIONBENCH,
            hub.DECEPTIONBENCH_REVISION,
        ),
    }[which]
    for path in get(folder, source or name, revision or (pinned if source is None else None)):
        console.print(f"wrote {path}", soft_wrap=True, highlight=False)


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
