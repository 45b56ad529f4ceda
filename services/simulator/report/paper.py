"""The paper's printed numbers (arXiv 2510.08211), and what their own sampling noise leaves of them.

The paper prints percentages without n, intervals or tests. Counts come back from them, since every cell is k of a known n: all
items of a MASK subset; of DeceptionBench the items whose reply kept the format, so the largest n that the cell can be a share
of. A total is the sum of its parts where that gives what is printed. Tests take the cells as separate samples: the items are
the same, but nobody printed who answered what.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict

from services.core.stats.proportions import Comparison, count_of, two_proportions

_FILE: Final = Path(__file__).with_name("paper.yaml")
TOTAL: Final = "total"
# Some cells were cut instead of rounded, so a printed 23.25 may be 23.256; one decimal is half a tenth off.
_TWO_DECIMALS, _ONE_DECIMAL = 0.0101, 0.0501

Count = tuple[int, int]
"""k of n."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Table(_Part):
    """One table (or figure) for one model: row → cells as printed, in the benchmark's columns."""

    source: str
    model: str
    benchmark: str
    rows: Mapping[str, tuple[float, ...]]


class Misprint(_Part):
    """A cell that can't be right, and why."""

    source: str
    model: str
    row: str
    column: str
    why: str


class Claim(_Part):
    """Two cells (source, row) of one model and column whose difference the paper reads as an effect."""

    what: str
    model: str
    column: str
    before: tuple[str, str]
    after: tuple[str, str]


class Paper(_Part):
    """The file."""

    columns: Mapping[str, Mapping[str, int]]
    """Benchmark → column → its items."""
    misprints: tuple[Misprint, ...]
    comparisons: tuple[Claim, ...]
    tables: tuple[Table, ...]

    def cell(self, source: str, model: str, row: str, column: str) -> "Cell":
        """Return a printed cell with its count. Raises KeyError if the paper prints none there."""
        for table in self.tables:
            sizes = self.columns[table.benchmark]
            if (table.source, table.model) == (source, model) and row in table.rows and column in sizes:
                printed = dict(zip(sizes, table.rows[row], strict=False))
                return Cell(printed[column], _count(printed, sizes, column))
        raise KeyError((source, model, row, column))


class Cell(NamedTuple):
    """A percentage as printed, and the count that it stands for; None if it can't be a share of the items."""

    printed: float
    counted: Count | None


class Reanalysis(NamedTuple):
    """A claim, tested."""

    claim: Claim
    before: Cell
    after: Cell
    comparison: Comparison


@cache
def the_paper() -> Paper:
    """Return what is printed."""
    return Paper.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))


def reanalysed() -> tuple[Reanalysis, ...]:
    """Return every comparison of the file with intervals and p."""
    return tuple(_tested(the_paper(), claim) for claim in the_paper().comparisons)


def _tested(paper: Paper, claim: Claim) -> Reanalysis:
    before, after = (
        paper.cell(source, claim.model, row, claim.column) for source, row in (claim.before, claim.after)
    )
    if before.counted is None or after.counted is None:
        raise ValueError(f"{claim.what}: a cell is no count")
    return Reanalysis(claim, before, after, two_proportions(before.counted, after.counted))


def _count(printed: Mapping[str, float], sizes: Mapping[str, int], column: str) -> Count | None:
    if column == TOTAL:
        parts = [_count(printed, sizes, part) for part in printed if part != TOTAL]
        known = [part for part in parts if part is not None]
        k, n = (sum(values) for values in zip(*known, strict=True))
        if len(known) == len(parts) and abs(100 * k / n - printed[TOTAL]) <= _TWO_DECIMALS:
            return k, n
    value = printed[column]
    rounding = _ONE_DECIMAL if round(value, 1) == value else _TWO_DECIMALS
    return count_of(value, sizes[column], rounding)
