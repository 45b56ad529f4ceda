"""Tables of where a study's numbers come from: runs and their hashes, adapters, software, tokens and cost."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from services.core.db.usage import Usage
from services.core.operations.provenance import Origin, Provenance
from services.core.sources import commit, sources_sha256
from services.simulator.report.sections import Cell, Row, Section
from services.simulator.report.wording import NOTHING

_PACKAGES: Final = ("driftloop", "torch", "transformers", "trl", "peft", "vllm")
# Enough of a hash to tell two apart by eye; the whole is in report.json.
_SHORT = 12


def versions() -> dict[str, str | None]:
    """Return what is installed where the report is made; None for what isn't."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}


def code() -> dict[str, str | None]:
    """Return which code makes the report: git's commit (None outside a checkout) and the hash of the sources."""
    return {"commit": commit(), "sources_sha256": sources_sha256()}


def cost_section(found: Provenance) -> Section:
    """Return tokens and cost by phase, role and model."""
    headings = ("phase", "role", "model", "calls", "prompt tokens", "completion tokens", "USD")
    rows = tuple(
        Row((one.phase, one.role, one.model or "not said"), tuple(map(Cell, _took(one))), True)
        for one in found.usage
    )
    return Section(headings, rows)


def origins_section(found: Provenance) -> Section:
    """Return every run with the hashes of its spec and of its last adapter."""
    headings = ("run", "name", "seed", "status", "spec sha256", "last adapter sha256", "judges", "prompts")
    return Section(headings, tuple(Row((one.run.id,), tuple(_origin(one)), True) for one in found.origins))


def _took(one: Usage) -> tuple[str, ...]:
    known = one.calls - one.calls_without_tokens
    partly = "" if known in {0, one.calls} else f" (of {known:,} calls)"
    priced = one.calls - one.calls_without_price
    of_priced = "" if priced in {0, one.calls} else f" (of {priced:,} calls)"
    cost = NOTHING if one.cost_usd is None else f"{one.cost_usd:.4f}{of_priced}"
    return (
        f"{one.calls:,}",
        _tokens(one.prompt_tokens, partly),
        _tokens(one.completion_tokens, partly),
        cost,
    )


def _tokens(count: int | None, partly: str) -> str:
    return NOTHING if count is None else f"{count:,}{partly}"


def _origin(one: Origin) -> Iterator[Cell]:
    run = one.run
    yield from map(Cell, (run.name, str(run.spec.seed), run.status.value, run.spec_hash[:_SHORT]))
    yield Cell(one.adapters[-1].sha256[:_SHORT] if one.adapters else NOTHING)
    yield Cell(", ".join(sorted(set(run.spec.evaluation.panel.values()))))
    prompts = run.fingerprints.get("prompts")
    yield Cell(NOTHING if prompts is None else f"{run.spec.evaluation.prompts} {prompts[:_SHORT]}")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
