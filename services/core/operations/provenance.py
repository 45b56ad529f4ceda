"""Where a report's numbers come from: specs, hashes, adapters, prompts, and what the calls took."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.core.db import policies, runs
from services.core.db.policies import AdapterRecord
from services.core.db.runs import RunRecord
from services.core.db.usage import Usage, usage_of


@dataclass(frozen=True, slots=True)
class Origin:
    """One run's spec, hashes and adapters."""

    run: RunRecord
    adapters: tuple[AdapterRecord, ...]
    """By round."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a study rests on."""

    origins: tuple[Origin, ...]
    usage: tuple[Usage, ...]


def provenance(session: Session, names: Collection[str]) -> Provenance:
    """Return where the numbers of some runs come from. Raises `NotFound`."""
    found = tuple(
        Origin(runs.get_run(session, name), policies.adapters_of_run(session, name)) for name in names
    )
    return Provenance(found, usage_of(session, [one.run.id for one in found]))
