"""A sweep: one spec file, many runs that differ in chosen fields.

`sweep` maps dotted spec fields to lists of values; the arms are the grid product, in the order written, the last field
turning fastest. Every arm is a complete run spec of its own. Two arms that would be the same run are refused, since one of
them would silently be the other.
"""

import copy
import functools
import itertools
import json
import math
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from services.core.domain.complaints import fit, leaf_fields, near, one_line, shown
from services.core.domain.errors import SpecError
from services.core.domain.spec import RunSpec

MAX_ARMS: Final = 1000


@dataclass(frozen=True, slots=True)
class Arm:
    """One run of a sweep. `labels` holds the swept fields and this arm's values, as resolved; empty without a sweep."""

    labels: dict[str, Any]
    spec: RunSpec


def expand(values: Mapping[str, Any]) -> tuple[Arm, ...]:
    """Return the runs that a spec's mapping asks for; one run when it has no `sweep`.

    Raises SpecError, naming the field and the mend.
    """
    base = {key: value for key, value in values.items() if key != "sweep"}
    grid = _grid(values["sweep"]) if "sweep" in values else {}
    count = math.prod(len(choices) for choices in grid.values())
    if count > MAX_ARMS:
        raise SpecError(f"sweep: {count:,} arms are more than {MAX_ARMS:,}; give fewer values")
    arms = tuple(
        _arm(base, dict(zip(grid, choices, strict=True))) for choices in itertools.product(*grid.values())
    )
    _refuse_twins(arms)
    return arms


def changed(spec: RunSpec, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec's mapping with some fields changed, written dotted or nested.

    Raises SpecError for what is no spec field; values are for `expand` to check.
    """
    values, known = spec.model_dump(mode="json"), leaf_fields(RunSpec)
    for field, value in _flat(changes):
        if field not in known:
            raise SpecError(f"{one_line(field[:60])}: is no spec field; {_mend(field, known)}")
        _put(values, field.split("."), value)
    return values


def _flat(changes: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in changes.items():
        if isinstance(value, dict) and value:
            yield from _flat(cast("dict[str, Any]", value), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _grid(sweep: object) -> dict[str, list[Any]]:
    where = "sweep"
    given = shown(sweep)
    fields = cast("dict[object, object]", sweep) if isinstance(sweep, dict) else {}
    if not fields:
        raise SpecError(f"{where}: {given} is no sweep; write lines like `seed: [1, 2, 3]` under it")
    known = leaf_fields(RunSpec)
    for field, choices in fields.items():
        if field not in known:
            name = one_line(str(field)[:60])
            raise SpecError(f"{where}.{name}: is no spec field; {_mend(name, known)}")
        if shown(choices) != "a list" or not choices:
            given = "an empty list" if choices == [] else shown(choices)
            raise SpecError(f"{where}.{field}: {given} is no list of values; write [a, b, …]")
    return cast("dict[str, list[Any]]", fields)


def _mend(field: str, known: list[str]) -> str:
    last = field.rpartition(".")[2]
    same_end = [name for name in known if name.rpartition(".")[2] == last]
    inside = [name for name in known if name.startswith(f"{field}.")]
    if inside:
        return f"it is a section; name a field of it, such as {inside[0]}"
    guess = same_end[0] if same_end else near(field, known)
    return f"did you mean {guess}?" if guess else "use a dotted field such as population.biased_share"


def _arm(base: dict[str, Any], choice: dict[str, Any]) -> Arm:
    values = copy.deepcopy(base)
    for field, value in choice.items():
        _put(values, field.split("."), value)
    spec = fit(RunSpec, values)
    resolved = spec.model_dump(mode="json")
    return Arm(
        {field: functools.reduce(operator.getitem, field.split("."), resolved) for field in choice}, spec
    )


def _put(values: dict[str, Any], path: list[str], value: object) -> None:
    section, *rest = path
    if not rest:
        values[section] = value
        return
    inner = values.setdefault(section, {})
    if isinstance(inner, dict):  # else no mapping stands there, and the spec check names it
        _put(cast("dict[str, Any]", inner), rest, value)


def _refuse_twins(arms: tuple[Arm, ...]) -> None:
    first: dict[str, Arm] = {}
    for arm in arms:
        twin = first.setdefault(json.dumps(arm.spec.identity(), sort_keys=True), arm)
        if twin is not arm:
            raise SpecError(
                f"sweep: two arms are the same run ({_said(twin)} and {_said(arm)}); "
                "keep one, or sweep a field that decides results"
            )


def _said(arm: Arm) -> str:
    return ", ".join(f"{field} {shown(value)}" for field, value in arm.labels.items())
