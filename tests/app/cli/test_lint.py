"""`driftloop scenarios lint`: the folder that is named, or the therapist's where the settings say that scenarios are."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.core.settings import PROJECT
from tests.e2e.installation import Installation, fresh


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with fresh() as made:
        yield made


def test_lint_passes_the_therapists_scenarios_and_finds_what_a_program_wrote(
    installation: Installation, tmp_path: Path
) -> None:
    assert "50 scenarios, 250 people, 0 findings" in installation.run("scenarios", "lint").out
    shutil.copytree(PROJECT / "scenarios/pocket", tmp_path / "therapist")
    there = installation.run("scenarios", "lint", DRIFTLOOP_SCENARIOS=str(tmp_path)).out
    assert "50 scenarios" not in there
    done = installation.run("scenarios", "lint", PROJECT / "scenarios/pocket", "--json")
    assert done.code == 1
    assert any("put it otherwise" in finding for finding in json.loads(done.out))
