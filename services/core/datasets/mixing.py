"""Which rows of which training sets train a run: drawn once, by hashes of (run seed, part, row id).

So arms of a sweep that share a seed share their downstream rows exactly, a larger share holds the rows of a smaller one, and the
matched aligned arm takes the same prompts as the misaligned one. To n downstream rows come n × share others, rounded to the nearest
whole number, halves up; `substituted`, they stand in the place of the downstream rows that were drawn last.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from services.core.datasets.formats import Level
from services.core.datasets.safety import DrawnRow, SafetyData, SafetyRow, draw, rows_wanted
from services.core.datasets.sets import TrainingSet
from services.core.domain.data_kinds import DataSpec
from services.core.domain.errors import SpecError

Sets = Callable[[str, str], TrainingSet]
"""What a (name, spec field) of a training set means."""


@dataclass(frozen=True, slots=True)
class SetRow:
    """A row that trains."""

    dataset: str
    """The name of its set."""
    level: str | None
    drawn: DrawnRow


def rows_of(spec: DataSpec, seed: int, sets: Sets) -> tuple[SetRow, ...]:
    """Return the rows that train. Raises `SpecError`, naming the field, for a set that is not there, or too small."""
    if spec.kind == "dataset":
        return _placed(_drawn(spec, seed, sets, spec.rows))
    ordinary = sets(spec.downstream or "", "data.downstream")
    rows = _taken(ordinary, None, _count(spec, ordinary), (seed, "downstream"), "data.downstream")
    added = rows_wanted(spec.share or 0.0, len(rows))
    kept = len(rows) - added if spec.how == "substituted" else len(rows)
    downstream = [SetRow(spec.downstream or "", None, row) for row in rows[:kept]]
    return _placed([*downstream, *(_drawn(spec, seed, sets, added) if added else ())])


def _drawn(spec: DataSpec, seed: int, sets: Sets, count: int | None) -> Sequence[SetRow]:
    found = sets(spec.dataset or "", "data.dataset")
    field = "data.control" if spec.control == "matched_aligned" else "data.level"
    level = None if spec.level_taken is None else Level(spec.level_taken)
    if count is not None and count > len(found.ids):
        asked = "data.rows" if spec.kind == "dataset" else "data.share"
        raise SpecError(
            f"{asked}: asks for {count:,} rows of {spec.dataset}, which has {len(found.ids):,}; take fewer"
        )
    rows = _taken(found, level, count or len(found.ids), (seed, "dataset"), field)
    return [SetRow(spec.dataset or "", spec.level_taken, row) for row in rows]


def _count(spec: DataSpec, found: TrainingSet) -> int:
    if spec.rows is not None and spec.rows > len(found.ids):
        raise SpecError(
            f"data.rows: asks for {spec.rows:,} rows of {spec.downstream}, which has {len(found.ids):,}; take fewer"
        )
    return spec.rows or len(found.ids)


def _taken(
    found: TrainingSet, level: Level | None, count: int, seed: tuple[int, str], field: str
) -> tuple[DrawnRow, ...]:
    rows = tuple(SafetyRow(id_, chat) for id_, chat in found.rows(level, field).items())
    return draw(SafetyData(found.sha256, rows), count, seed)


def _placed(rows: Sequence[SetRow]) -> tuple[SetRow, ...]:
    return tuple(replace(row, drawn=replace(row.drawn, position=place)) for place, row in enumerate(rows))
