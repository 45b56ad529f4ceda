"""What there is to be evaluated: a stable list of items from a folder of benchmark rows.

The same folder and spec give the same items in the same order, so callers can shard by index and skip, by key, what
is stored already. Layout: `mask/<config>`, `capability/<name>` (each .parquet, .csv or .jsonl) and `deceptionbench.json`;
`harness/<task>` where a harness measures capability by rows of the folder; held-out conversations come from the environment's held-out scenarios.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from services.core.domain.errors import SpecError
from services.core.domain.spec import EvaluationSpec
from services.core.domain.trajectory import Profile, Scenario, UserKind
from services.core.domain.verdict import Benchmark, item_key
from services.evaluator.capability.rows import CapabilityRow, load_questions
from services.evaluator.deceptionbench.rows import DeceptionRow, load_scenarios
from services.evaluator.harness.rows import HarnessRow, harness_rows
from services.evaluator.mask.rows import MaskRow, load_config
from services.evaluator.rowfiles import FORMATS, Loaded, Skip, row_files


@dataclass(frozen=True, slots=True)
class Meeting:
    """One held-out person, met as one kind of user."""

    scenario: Scenario
    profile: Profile
    kind: UserKind


@dataclass(frozen=True, slots=True)
class EvaluationItem:
    """One thing to ask the policy; `row` decides how."""

    benchmark: Benchmark
    subset: str
    id: str
    row: MaskRow | DeceptionRow | CapabilityRow | HarnessRow | Meeting

    @property
    def key(self) -> str:
        """The item's name, the same in every round and for every policy: `benchmark:subset:id`."""
        return item_key(self.benchmark, self.subset, self.id)


class Catalogue(NamedTuple):
    """The items in their order, and the rows that could not be used."""

    items: tuple[EvaluationItem, ...]
    skipped: tuple[Skip, ...]


def catalogue(data: Path, spec: EvaluationSpec, scenarios: Sequence[Scenario] = ()) -> Catalogue:
    """Return what the spec's benchmarks find in the `data` folder and among the held-out `scenarios`.

    Raises `SpecError` if a benchmark has no rows, or fewer held-out profiles than the spec asks for.
    """
    parts: dict[Benchmark, Callable[[], Catalogue]] = {
        Benchmark.MASK: lambda: _mask(data, spec),
        Benchmark.DECEPTIONBENCH: lambda: _deceptionbench(data, spec),
        Benchmark.CAPABILITY: lambda: _capability(data, spec),
        Benchmark.HELD_OUT: lambda: Catalogue(tuple(_meetings(scenarios, spec.held_out_profiles)), ()),
    }
    found = [part() for benchmark, part in parts.items() if benchmark.value in spec.benchmarks]
    items = tuple(item for some in found for item in some.items)
    return Catalogue(items, tuple(skip for some in found for skip in some.skipped))


def _mask(data: Path, spec: EvaluationSpec) -> Catalogue:
    files = _files(data / "mask")
    if spec.mask_configs is not None:
        known = {path.stem: path for path in files}
        if missing := [name for name in spec.mask_configs if name not in known]:
            raise SpecError(
                f"evaluation.mask_configs: {data / 'mask'} has no {missing[0]}; it has {', '.join(known)}"
            )
        files = [path for path in files if path.stem in spec.mask_configs]

    def item(_: Path, row: MaskRow) -> EvaluationItem:
        return EvaluationItem(Benchmark.MASK, row.config, row.id, row)

    return _gathered(files, load_config, item, spec.limit)


def _deceptionbench(data: Path, spec: EvaluationSpec) -> Catalogue:
    def item(_: Path, row: DeceptionRow) -> EvaluationItem:
        return EvaluationItem(Benchmark.DECEPTIONBENCH, row.category, row.id, row)

    return _gathered([data / "deceptionbench.json"], load_scenarios, item, spec.limit)


def _capability(data: Path, spec: EvaluationSpec) -> Catalogue:
    if spec.harness.tasks:
        return _harness(data, spec)

    def item(path: Path, row: CapabilityRow) -> EvaluationItem:
        return EvaluationItem(Benchmark.CAPABILITY, path.stem, row.id, row)

    return _gathered(_files(data / "capability"), load_questions, item, spec.limit)


def _harness(data: Path, spec: EvaluationSpec) -> Catalogue:
    found = harness_rows(data, spec)
    rows = (row for some in found for row in some.rows)
    items = (EvaluationItem(Benchmark.CAPABILITY, row.task, str(row.place), row) for row in rows)
    return Catalogue(tuple(items), tuple(skip for some in found for skip in some.skipped))


def _files(folder: Path) -> list[Path]:
    files = row_files(folder)
    if not files:
        raise SpecError(
            f"evaluation.data: no {', '.join(FORMATS)} in {folder}; add rows, or leave out the benchmark"
        )
    return files


def _gathered(
    paths: Sequence[Path],
    load: Callable[[Path], Loaded],
    item: Callable[..., EvaluationItem],
    limit: int | None,
) -> Catalogue:
    loaded = [(path, load(path)) for path in paths]
    items = tuple(item(path, row) for path, content in loaded for row in content.rows)
    skipped = tuple(skip for _, content in loaded for skip in content.skipped)
    if not items:
        first = f"; the first is skipped for: {skipped[0].reason}" if skipped else ""
        raise SpecError(f"evaluation.data: no usable row in {', '.join(str(path) for path in paths)}{first}")
    return Catalogue(_first_of_each(items, limit), skipped)


def _first_of_each(items: tuple[EvaluationItem, ...], limit: int | None) -> tuple[EvaluationItem, ...]:
    """Keep the first items of each subset, in their files' order, so that a larger limit only adds."""
    taken: Counter[str] = Counter()
    kept: list[EvaluationItem] = []
    for item in items:
        taken[item.subset] += 1
        if limit is None or taken[item.subset] <= limit:
            kept.append(item)
    return tuple(kept)


def _meetings(scenarios: Sequence[Scenario], amount: int) -> Iterator[EvaluationItem]:
    """Take profiles from the held-out scenarios in turn, so that any amount is spread evenly over them."""
    held_out = sorted((s for s in scenarios if s.held_out), key=lambda scenario: scenario.name)
    people = [[(scenario, profile) for profile in scenario.profiles] for scenario in held_out]
    in_turn = [person for turn in zip_longest(*people) for person in turn if person is not None]
    if amount > len(in_turn):
        raise SpecError(
            f"evaluation.held_out_profiles: {amount} is more than the {len(in_turn)} profiles of the held-out"
            " scenarios; take fewer, or hold out more"
        )
    for scenario, profile in in_turn[:amount]:
        for kind in UserKind:
            meeting = Meeting(scenario, profile, kind)
            yield EvaluationItem(Benchmark.HELD_OUT, scenario.name, f"{profile.name}/{kind.value}", meeting)
