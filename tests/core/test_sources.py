"""Which code this is: git's commit where there is one, and a hash of the sources everywhere."""

import subprocess
from pathlib import Path

from services.core.sources import commit, sources_sha256


def _git(checkout: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    command = ["git", "-C", str(checkout), *who, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _checkout(folder: Path) -> Path:
    _git(folder, "init", "-q", ".")
    (folder / "code.py").write_text("one = 1\n")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "First")
    return folder


def test_a_checkout_has_its_commit_whatever_lies_beside_it(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path)
    (checkout / "out").mkdir()
    (checkout / "out/report.html").write_text("made here")
    assert commit(checkout) == _git(checkout, "rev-parse", "HEAD")


def test_edited_files_are_said(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path)
    (checkout / "code.py").write_text("one = 2\n")
    assert commit(checkout) == _git(checkout, "rev-parse", "HEAD") + "+changes"


def test_a_copy_inside_another_repository_has_no_commit(tmp_path: Path) -> None:
    copy = _checkout(tmp_path) / "driftloop"
    copy.mkdir()
    assert commit(copy) is None


def test_a_repository_that_git_cannot_read_has_no_commit(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: nowhere")
    assert commit(tmp_path) is None


def _package(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        place = folder / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.with_suffix(".py").write_text(text)
    return folder


def test_the_sources_are_their_names_and_contents_and_nothing_that_python_makes(tmp_path: Path) -> None:
    package = _package(tmp_path / "one", a="1", b__c="2")
    (package / "b/__pycache__").mkdir()
    (package / "b/__pycache__/c.cpython-311.pyc").write_bytes(b"compiled")
    assert sources_sha256(package) == sources_sha256(_package(tmp_path / "two", b__c="2", a="1"))
    others = [{"a": "1", "b__c": "3"}, {"a": "1", "b__d": "2"}, {"a": "1"}]
    hashes = {sources_sha256(_package(tmp_path / f"other{n}", **files)) for n, files in enumerate(others)}
    assert len(hashes | {sources_sha256(package)}) == 4
