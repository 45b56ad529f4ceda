"""The spec file that would make a study's runs again, where one file would: promised only if it expands to exactly these runs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from services.core.domain.errors import SpecError
from services.core.domain.spec import RunSpec
from services.core.domain.sweep import expand

Labelled = tuple[RunSpec, Mapping[str, Any]]
"""A run's spec, and the fields that set it apart in its sweep."""


class Relaunch(NamedTuple):
    """A spec file's mapping."""

    spec: Mapping[str, Any]
    is_of_all: bool
    """Whether launching it makes all runs that were asked about and no others; else it is the first run's."""


def relaunch(found: Sequence[Labelled]) -> Relaunch:
    """Return the mapping that makes some runs again: the first run's spec with the swept fields turned into a sweep, or as it is."""
    first, _ = found[0]
    swept = _swept(found)
    if _made_by(swept) == sorted(_identity(spec) for spec, _ in found):
        return Relaunch(swept, True)
    return Relaunch(first.model_dump(mode="json"), False)


def _swept(found: Sequence[Labelled]) -> dict[str, Any]:
    first, labels = found[0]
    spec = first.model_dump(mode="json")
    if not labels or any(other.keys() != labels.keys() for _, other in found):
        return spec
    for field in labels:
        *path, last = field.split(".")
        section = spec
        for part in path:
            section = section[part]
        del section[last]
    spec["sweep"] = {field: _distinct([other[field] for _, other in found]) for field in labels}
    return spec


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Return each value once. They may be lists, which no set takes."""
    return [value for place, value in enumerate(values) if value not in values[:place]]


def _made_by(spec: Mapping[str, Any]) -> Sequence[str]:
    """Return the identities of the runs that a mapping makes; none if it is no spec."""
    try:
        return sorted(_identity(arm.spec) for arm in expand(spec))
    except SpecError:
        return ()


def _identity(spec: RunSpec) -> str:
    return json.dumps(spec.identity(), sort_keys=True)
