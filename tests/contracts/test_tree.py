"""What the files of the tree keep to: their length, and no word of the place where they were written."""

import subprocess
from pathlib import Path

import pytest

from services.core.settings import PROJECT

LONGEST_FILE = 400
OF_THE_WORKPLACE = ("/work" + "/", ".." + "/shared")


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """All files that git knows, or, in a tree without git, all that are not hidden or built."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:
        names = listed.stdout.split("\0")[:-1]
        return [PROJECT / name for name in names if (PROJECT / name).is_file()]
    rooms = ("services", "tests", "migrations", "scenarios", "benchmarks", "docs")
    return [*PROJECT.glob("*.*"), *(path for room in rooms for path in (PROJECT / room).rglob("*.*"))]


def test_files_are_short(tracked: list[Path]):
    python = [path for path in tracked if path.suffix == ".py"]
    assert len(python) > 100
    lengths = {str(path.relative_to(PROJECT)): len(path.read_text().splitlines()) for path in python}
    too_long = {name: length for name, length in lengths.items() if length > LONGEST_FILE}
    assert too_long == {}, "split these by what they are about"


def test_no_file_names_the_workplace(tracked: list[Path]):
    naming = [
        f"{path.relative_to(PROJECT)}: {word}"
        for path in tracked
        for word in OF_THE_WORKPLACE
        if word.encode() in path.read_bytes()
    ]
    assert naming == []
