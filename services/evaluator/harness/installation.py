"""Whether this machine has the harness, in an environment of its own, at the versions that runs are measured with."""

import subprocess
from collections.abc import Collection
from functools import cache
from pathlib import Path

from services.core.domain.errors import SpecError
from services.evaluator.harness.tasks import RUNS_PROGRAMS, VERSIONS

_ASK_VERSIONS = "import importlib.metadata as m, sys; print(*(m.version(name) for name in sys.argv[1:]))"
_PATIENCE_S = 20
_FIELD = "evaluation.harness.tasks"


def check_installed(python: Path | None) -> Path:
    """Return the harness's Python. Raises `SpecError` with the mend if there is none of the versions wanted."""
    wanted = " ".join(f"{name}=={version}" for name, version in VERSIONS.items())
    mend = f"`make inspect`, or `pip install {wanted} openai` in an environment of its own, named by DRIFTLOOP_INSPECT_PYTHON"
    if python is None:
        raise SpecError(f"{_FIELD}: inspect_evals is not installed here; {mend}")
    found = _versions(python)
    if found != tuple(VERSIONS.values()):
        has = " and ".join(found) or "no inspect_ai with inspect_evals"
        raise SpecError(f"{_FIELD}: {python} has {has}; {mend}")
    return python


def check_sandbox(tasks: Collection[str]) -> None:
    """Raise `SpecError` if a task runs programs that a model wrote, and there is no docker to hold them."""
    runs_programs = sorted(RUNS_PROGRAMS & set(tasks))
    if runs_programs and _said("docker", "info", "--format", "ok") is None:
        raise SpecError(
            f"{_FIELD}: {runs_programs[0]} runs programs that the policy wrote, only in docker, which can't be reached here; "
            "start it, or leave the task out"
        )


@cache
def _versions(python: Path) -> tuple[str, ...]:
    return tuple((_said(str(python), "-c", _ASK_VERSIONS, *VERSIONS) or "").split())


def _said(*command: str) -> str | None:
    """Return what a command prints, None if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout
