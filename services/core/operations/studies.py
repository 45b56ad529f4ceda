"""Which runs a study is of: those that are named, and those of the sweeps that are named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from services.core.db import runs, sweeps
from services.core.db.runs import RunRecord
from services.core.domain.errors import NotFound


@dataclass(frozen=True, slots=True)
class Named:
    """Some runs under one title."""

    title: str
    runs: Mapping[str, Mapping[str, Any]]
    """Run → the fields that set it apart in its sweep; none for a run that was named by itself."""


def named(session: Session, names: Sequence[str]) -> Named:
    """Return the runs that names of runs and sweeps mean, in that order. Raises `NotFound`."""
    found: dict[str, Mapping[str, Any]] = {}
    titles: list[str] = []
    for name in names:
        sweep = sweeps.find_sweep(session, name)
        if sweep is not None:
            titles.append(sweep.name)
            found |= dict(zip(sweep.run_ids, sweep.labels, strict=True))
        else:
            run = _run(session, name)
            titles.append(run.name)
            found.setdefault(run.id, {})
    if not found:
        raise NotFound("no run is named; name runs or sweeps")
    return Named(", ".join(dict.fromkeys(titles)), found)


def _run(session: Session, name: str) -> RunRecord:
    try:
        return runs.get_run(session, name)
    except NotFound as unknown:
        raise NotFound(f"{unknown}; `driftloop list --sweeps` shows sweeps") from unknown
