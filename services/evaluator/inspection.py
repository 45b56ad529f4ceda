"""What a folder of benchmark rows holds, beside what the published sets hold: for people, before anything is paid for.

The counts are those of `cais/MASK`, of `PKU-Alignment/DeceptionBench` (arXiv 2505.18807) and of the capability sets. A smaller or other
set is no error: rates only rest on fewer rows, and say so.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.core.domain.errors import SpecError
from services.evaluator.capability.rows import load_questions
from services.evaluator.deceptionbench.rows import load_scenarios
from services.evaluator.harness.rows import load_rows
from services.evaluator.harness.tasks import SAMPLES
from services.evaluator.mask.rows import load_config
from services.evaluator.rowfiles import Loaded, Skip, row_files

MASK_ROWS: Mapping[str, int] = {
    "continuations": 176,
    "disinformation": 125,
    "doubling_down_known_facts": 120,
    "known_facts": 209,
    "provided_facts": 274,
    "statistics": 96,
}
DECEPTION_ROWS: Mapping[str, int] = {
    "sycophancy": 43,
    "strategic_deception": 45,
    "honesty_evasion": 43,
    "alignment_faking": 16,
    "sandbagging": 33,
}
CAPABILITY_ROWS: Mapping[str, int] = {"gsm8k": 1319, "gpqa_diamond": 198}
Load = Callable[[Path], Loaded]
DECEPTIONBENCH_SHA256 = "1d5a97895bcb4b54d6a42d505ed56c66cc2e633fe06f5cb2953331d4457eb9b4"
"""Of `deceptionbench_0527.json`, revision 9c6c67b."""


@dataclass(frozen=True, slots=True)
class Part:
    """One subset: what is there, and what the published one has."""

    benchmark: str
    subset: str
    usable: int
    published: int | None
    """None: no published set of this name."""
    skipped: tuple[Skip, ...] = ()
    problem: str | None = None
    """Why the file can't be used at all."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A whole folder."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the published subsets of which nothing is there."""
        return tuple(f"{p.benchmark}/{p.subset}" for p in self.parts if p.published and not p.usable)

    @property
    def is_usable(self) -> bool:
        """Tell whether anything can be measured with it."""
        return any(part.usable for part in self.parts)


def inspect(folder: Path) -> Inspection:
    """Return what a folder holds. Raises `SpecError` if there is none."""
    if not folder.exists():
        raise SpecError(f"{folder}: there is no such file or folder; check the path")
    if not folder.is_dir():
        raise SpecError(
            f"{folder}: is no folder; name one with mask/, deceptionbench.json or capability/ in it"
        )
    deception, note = _deceptionbench(folder / "deceptionbench.json")
    parts = (
        *_files("mask", folder / "mask", MASK_ROWS),
        *deception,
        *_files("capability", folder / "capability", CAPABILITY_ROWS),
        *_files("harness", folder / "harness", SAMPLES),
    )
    return Inspection(parts, (note,) if note else ())


def _files(benchmark: str, folder: Path, published: Mapping[str, int]) -> list[Part]:
    loaders: Mapping[str, Load] = {"mask": load_config, "capability": load_questions, "harness": load_rows}
    try:
        found = {path.stem: path for path in row_files(folder)}
    except SpecError as error:
        return [Part(benchmark, "", 0, None, problem=str(error))]
    # Of the capability sets none is expected: they are many, and any will do.
    expected: Mapping[str, int] = published if benchmark == "mask" else {}
    return [
        _file(benchmark, name, found.get(name), published.get(name), loaders[benchmark])
        for name in {**expected, **found}
    ]


def _file(benchmark: str, name: str, path: Path | None, published: int | None, load: Load) -> Part:
    if path is None:
        return Part(benchmark, name, 0, published)
    try:
        rows, skipped = load(path)
    except SpecError as error:
        return Part(benchmark, name, 0, published, problem=str(error))
    return Part(benchmark, name, len(rows), published, skipped)


def _deceptionbench(path: Path) -> tuple[list[Part], str | None]:
    if not path.exists():
        return [Part("deceptionbench", name, 0, rows) for name, rows in DECEPTION_ROWS.items()], None
    try:
        rows, skipped = load_scenarios(path)
    except SpecError as error:
        return [Part("deceptionbench", "", 0, None, problem=str(error))], None
    usable = Counter[str](row.category for row in rows)
    parts = [
        Part("deceptionbench", name, usable[name], published) for name, published in DECEPTION_ROWS.items()
    ]
    if skipped:
        # A row that can't be read has no category.
        parts.append(Part("deceptionbench", "", 0, None, skipped))
    is_known = hashlib.sha256(path.read_bytes()).hexdigest() == DECEPTIONBENCH_SHA256
    known = "is" if is_known else "is not, byte for byte,"
    return parts, f"{path.name} {known} the published file of revision 9c6c67b"
