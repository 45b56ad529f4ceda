"""The arrows between the rooms are held: a wrong import, once planted, is found."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.core.settings import PROJECT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

WRONG = {
    "services/simulator/engine.py": ("services.trainer.rows", "services never import each other"),
    "services/core/queue/worker.py": ("services.evaluator.phase", "core knows no service"),
    "services/pocket/world/users.py": ("services.app.wiring", "only app composes"),
    "services/core/stats/rates.py": ("sqlalchemy", "domain and stats are pure"),
    "services/simulator/rating.py": ("torch", "torch only in"),
}
"""By file: an import that is wrong there, and words of the contract that it breaks."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter says of a copy with all wrong imports planted."""
    copy = tmp_path_factory.mktemp("planted")
    shutil.copy(PROJECT / "pyproject.toml", copy)
    shutil.copytree(
        PROJECT / "services", copy / "services", ignore=shutil.ignore_patterns("weights", "__pycache__")
    )
    for name, (module, _) in WRONG.items():
        path = copy / name
        path.write_text(f"{path.read_text()}\nimport {module}\n")
    done = subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_import_is_found(report: str, name: str):
    module, contract = WRONG[name]
    importer = name.removesuffix(".py").replace("/", ".")
    broken = next(line for line in report.splitlines() if contract in line and line.endswith("BROKEN"))
    assert broken
    assert f"{importer} -> {module.removesuffix('.rows')}" in report
