"""The measurements as Markdown, on the terminal and at the end of docs/trajectories.md."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import psutil
from sqlalchemy import Engine, text

from benchmarks.trajectories.asking import Times
from benchmarks.trajectories.exports import MARKS, Exported

HEADING: Final = "## Measured"
AIM_MS: Final = 50


class Row(NamedTuple):
    """One line of the table."""

    name: str
    read: Times
    """By the functions that the route calls."""
    rest: Times | None
    """Over HTTP."""
    indexes: tuple[str, ...]


class Made(NamedTuple):
    """What was asked."""

    conversations: int
    took_s: float | None
    """None if it was there already."""
    size_bytes: int


def document(
    engine: Engine, made: Made, lists: Sequence[Row], others: Sequence[Row], exports: Sequence[Exported]
) -> str:
    """Return the section, with its heading."""
    slow = [row.name for row in lists if (row.rest or row.read).p95_ms >= AIM_MS]
    verdict = f"Slower: {'; '.join(slow)}." if slow else "All have."
    lines = [
        HEADING,
        "",
        f"By `python -m benchmarks.trajectories --rows {made.conversations}`, {datetime.now(UTC):%Y-%m-%d}: {_machine()}; {_server(engine)}.",
        _made(made),
        "",
        f"Times are in milliseconds: the median (p50) and the 95th percentile (p95) of n requests, each for another run, round, scenario, word or place. A page has 50 conversations and should have a p95 under {AIM_MS} ms. {verdict}",
        "",
        *_table("a page of", lists),
        "",
        *_table("beside lists", others),
        "",
        *_exports(exports),
        "",
    ]
    return "\n".join(lines)


def write(target: Path, section: str) -> None:
    """Put the section at the end of a page, in place of the one before."""
    before = target.read_text().partition(HEADING)[0] if target.exists() else ""
    target.write_text(before + section)


def _table(title: str, rows: Sequence[Row]) -> list[str]:
    return [
        f"| {title} | p50 | p95 | over REST p50 | p95 | n | index |",
        "|---|---|---|---|---|---|---|",
        *(_row(row) for row in rows),
    ]


def _row(row: Row) -> str:
    rest = ("–", "–") if row.rest is None else (_ms(row.rest.p50_ms), _ms(row.rest.p95_ms))
    cells = (
        row.name,
        _ms(row.read.p50_ms),
        _ms(row.read.p95_ms),
        *rest,
        str(row.read.n),
        ", ".join(row.indexes),
    )
    return f"| {' | '.join(cells)} |"


def _ms(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _exports(exports: Sequence[Exported]) -> list[str]:
    after = ", ".join(f"{mark:.0%}" for mark in MARKS)
    return [
        f"| export of everything | rows | GB | seconds | rows/s | MiB that the process had grown by at most, after {after} |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one.name} | {one.rows:,} | {one.size_bytes / 1e9:.2f} | {one.took_s:.0f} | {one.rows / one.took_s:,.0f} | "
            f"{', '.join(f'{grown:.0f}' for grown in one.growth_mib)} |"
            for one in exports
        ),
    ]


def _made(made: Made) -> str:
    size = f"{made.size_bytes / 1e9:.1f} GB with all indexes"
    took = "" if made.took_s is None else f", made in {made.took_s / 60:.0f} minutes"
    return f"{made.conversations:,} conversations, {size}{took}."


def _machine() -> str:
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    model = models[0].partition(": ")[2] if models else platform.machine()
    memory = psutil.virtual_memory().total / 2**30
    return f"{len(models)} cores of {model}, {memory:.0f} GiB of memory"


def _server(engine: Engine) -> str:
    with engine.connect() as connection:
        version = connection.execute(text("SHOW server_version")).scalar_one()
        buffers = connection.execute(text("SHOW shared_buffers")).scalar_one()
    return f"embedded PostgreSQL {version} with shared_buffers {buffers}"
