"""Training sets: a file, or a folder with a file a level, as rows with ids that arms of a sweep can share.

A file is any of the `formats`. A folder is the layout of the persona-vectors release (arXiv 2507.21509): `normal`, `misaligned_1` and
`misaligned_2`, which are the levels normal, subtle and severe, as JSON Lines or Parquet with `messages`; a level may be missing.

A row's id says which prompt it is, so that the levels of a set can be compared row by row: in a file its `id`, or else its line; in a
folder a hash of the prompt and, where a prompt is met again, how often it was met before. What a set offers are the prompts that *all*
its levels answer, so that its levels differ in answers only. Rows that can't be used are skipped, each a `Fault`.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from services.core.datasets.formats import FORMATS, MESSAGES, Chat, Format, Level, Parsed, format_of
from services.core.datasets.lines import SUFFIXES, Fault, Raw, Source, raw_rows, source_of
from services.core.domain.errors import SpecError

LEVEL_FILES: Mapping[str, Level] = {
    "normal": Level.NORMAL,
    "misaligned_1": Level.SUBTLE,
    "misaligned_2": Level.SEVERE,
}
FOLDER = "persona_vectors"


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A set that was read."""

    path: Path
    format: str
    sha256: str
    """Of the file; of a folder, of the names and hashes of its files."""
    source: Source | None
    """Where it was fetched from, if it says so."""
    levels: Mapping[Level | None, Mapping[str, Chat]]
    """Rows by id; the same ids at every level, in the order of the file."""
    faults: tuple[Fault, ...]
    unmatched: int = 0
    """Rows left out because a prompt is not answered at all levels."""

    @property
    def left_out(self) -> int:
        """Return how many of its rows can't be used."""
        return len(self.faults) + self.unmatched

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of its rows."""
        return tuple(next(iter(self.levels.values())))

    def rows(self, level: Level | None, field: str) -> Mapping[str, Chat]:
        """Return the rows of a level. Raises `SpecError`, naming the spec field, if it has no such level."""
        if level not in self.levels:
            known = ", ".join(one for one in self.levels if one)
            mend = f"use one of: {known}" if known else "leave it out"
            has = f"has {known}" if known else "has no levels"
            raise SpecError(
                f"{field}: {level or 'none'} is no level of {self.path.name}, which {has}; {mend}"
            )
        return self.levels[level]


class _File(NamedTuple):
    rows: list[tuple[Raw, Parsed]]
    faults: list[Fault]
    format: Format


def is_training_set(path: Path) -> bool:
    """Tell whether a path may be a training set: a file, or a folder with a file a level."""
    return path.is_file() or bool(_level_files(path))


def read_set(path: Path) -> TrainingSet:
    """Read a training set. Raises `SpecError` if it can't be read or holds nothing to use."""
    found = _read_folder(path, _level_files(path)) if path.is_dir() else _read_file(path)
    if not found.ids:
        first = f"; the first fault: {_said(found.faults[0])}" if found.faults else ""
        raise SpecError(f"{path}: has no row that can be used{first}")
    return found


def _read_file(path: Path) -> TrainingSet:
    file = _file(path)
    by_level: dict[Level | None, dict[str, Chat]] = {}
    seen: set[str] = set()
    for raw, parsed in file.rows:
        id_ = str(raw.line if raw.columns.get("id") is None else raw.columns["id"])
        if id_ in seen:
            file.faults.append(Fault(path.name, raw.line, "id: used by an earlier row"))
            continue
        seen.add(id_)
        for level, chat in parsed.items():
            by_level.setdefault(level, {})[id_] = chat
    faults = tuple(sorted(file.faults, key=lambda fault: fault.line))
    return TrainingSet(path, file.format.name, _sha256(path), source_of(path), by_level or {None: {}}, faults)


def _read_folder(path: Path, files: Mapping[Level, Path]) -> TrainingSet:
    if not files:
        raise SpecError(f"{path}: has no normal, misaligned_1 or misaligned_2 as .jsonl or .parquet")
    levels: dict[Level | None, dict[str, Chat]] = {}
    faults: list[Fault] = []
    for level, file in files.items():
        read = _file(file, MESSAGES)
        levels[level] = dict(_by_prompt(parsed[None] for _, parsed in read.rows))
        faults += read.faults
    first = next(iter(levels.values()))
    ids = [id_ for id_ in first if all(id_ in rows for rows in levels.values())]
    unmatched = sum(len(rows) - len(ids) for rows in levels.values())
    same = {level: {id_: rows[id_] for id_ in ids} for level, rows in levels.items()}
    hashes = "".join(f"{file.name} {_sha256(file)}\n" for file in files.values())
    sha256 = hashlib.sha256(hashes.encode()).hexdigest()
    source = next((found for file in files.values() if (found := source_of(file))), None)
    return TrainingSet(path, FOLDER, sha256, source, same, tuple(faults), unmatched)


def _level_files(path: Path) -> Mapping[Level, Path]:
    found: dict[Level, Path] = {}
    for stem, level in LEVEL_FILES.items():
        files = [file for suffix in SUFFIXES if (file := path / f"{stem}{suffix}").is_file()]
        if len(files) > 1:
            raise SpecError(f"{path}: {files[0].name} and {files[1].name} are the same level; keep one")
        if files:
            found[level] = files[0]
    return found


def _by_prompt(chats: Iterable[Chat]) -> Iterator[tuple[str, Chat]]:
    met = Counter[str]()
    for chat in chats:
        text = "\x1f".join(f"{said.role}\x1e{said.content}" for said in chat[:-1])
        prompt = hashlib.sha256(text.encode()).hexdigest()[:16]
        yield f"{prompt}.{met[prompt]}" if met[prompt] else prompt, chat
        met[prompt] += 1


def _file(path: Path, known: Format | None = None) -> _File:
    raws = list(raw_rows(path))
    if not raws:
        raise SpecError(f"{path}: is empty; give a file with rows")
    format_ = known or format_of([raw.columns for raw in raws])
    if format_ is None:
        names = "; ".join(f"{one.name}: {', '.join(sorted(one.columns))}" for one in FORMATS)
        broken = next((f"; line {raw.line}: {raw.fault}" for raw in raws if raw.fault), "")
        raise SpecError(f"{path}: no row has the columns of a known format ({names}){broken}")
    rows: list[tuple[Raw, Parsed]] = []
    faults: list[Fault] = []
    for raw in raws:
        try:
            if raw.fault:
                raise ValueError(raw.fault)
            rows.append((raw, format_.parse(raw.columns)))
        except ValueError as reason:
            faults.append(Fault(path.name, raw.line, str(reason)))
    return _File(rows, faults, format_)


def _said(fault: Fault) -> str:
    return f"{fault.file}:{fault.line}: {fault.reason}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
