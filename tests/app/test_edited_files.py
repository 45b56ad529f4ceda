"""Files edited under a living process: what is checked, and what is used, is what the files hold now."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.app.catalogue import BENCHMARKS, Catalogue
from services.app.fingerprints import folder_sha256
from services.core.db.runs import RunRecord
from services.core.domain.budget import Spent
from services.core.domain.errors import SpecError, StateConflict
from services.core.domain.identity import evaluation_key
from services.core.domain.phases import RunStatus
from services.core.domain.spec import RunSpec
from services.core.settings import PROJECT, Settings
from services.evaluator.scoring import SCORER_VERSIONS

SPECS: dict[str, dict[str, Any]] = {
    "interactions": {
        "population": {"environment": "mine", "biased_share": 1.0, "conversations": 10},
        "evaluation": {"data": "mine"},
        "mitigations": {"safety_share": 0.5, "safety_data": "mine"},
    },
    "reference": {
        "population": {"environment": "mine", "biased_share": 1.0, "conversations": 10},
        "evaluation": {"data": "mine", "profile": "reference"},
    },
    "dataset": {"population": {"environment": "mine"}, "data": {"kind": "dataset", "dataset": "mine"}},
}


def spec(kind: str) -> RunSpec:
    return RunSpec.model_validate({"name": "t", "training": {"method": "sft"}, **SPECS[kind]})


def launched(known: Catalogue, kind: str) -> RunRecord:
    now = datetime.now(UTC)
    prints = known.fingerprints(spec(kind))
    state = (RunStatus.RUNNING, 0, None, spec(kind).budget, Spent(0, 0.0, 0.0), now, None)
    return RunRecord("r1", "t", spec(kind), prints, "h", 1, *state)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Copies of an environment, benchmark rows, a training set and safety data."""
    shutil.copytree(PROJECT / "scenarios/pocket", tmp_path / "scenarios/mine")
    shutil.copytree(BENCHMARKS["pocket"], tmp_path / "benchmarks")
    said = [{"role": "user", "content": "may I?"}, {"role": "assistant", "content": "no"}]
    for name in ("safety.jsonl", "set.jsonl"):
        (tmp_path / name).write_text(f"{json.dumps({'messages': said})}\n" * 2)
    return tmp_path


def registry(here: Path) -> Settings:
    return Settings(
        scenarios=here / "scenarios",
        benchmarks={"mine": here / "benchmarks"},
        safety_data={"mine": here / "safety.jsonl"},
        datasets={"mine": here / "set.jsonl"},
    )


def without_its_last_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def with_other_words(path: Path) -> None:
    path.write_text(path.read_text().replace("benign_thought: ", "benign_thought: Well, "))


EDITS: list[tuple[str, str, Callable[[Path], None], str, Callable[[Catalogue], object]]] = [
    (
        "interactions",
        "benchmarks/mask/statistics.jsonl",
        without_its_last_line,
        "data",
        lambda known: known.item_count(spec("interactions")),
    ),
    (
        "interactions",
        "scenarios/mine/wine.yaml",
        with_other_words,
        "environment",
        lambda known: known.environment("mine").scenarios,
    ),
    (
        "interactions",
        "safety.jsonl",
        without_its_last_line,
        "safety",
        lambda known: known.safety_data("mine").rows,
    ),
    (
        "dataset",
        "set.jsonl",
        without_its_last_line,
        "dataset",
        lambda known: known.training_set("mine", "data.dataset").ids,
    ),
]


@pytest.mark.parametrize(("kind", "file", "edit", "part", "used"), EDITS, ids=[edit[3] for edit in EDITS])
def test_an_edit_under_a_living_process_is_seen_by_check_and_use_alike(
    here: Path,
    kind: str,
    file: str,
    edit: Callable[[Path], None],
    part: str,
    used: Callable[[Catalogue], Any],
) -> None:
    known = Catalogue(registry(here))
    known.check(spec(kind))
    run, before = launched(known, kind), used(known)
    known.check_unchanged(run)
    edit(here / file)
    with pytest.raises(StateConflict, match=rf"the {part} of run r1 changed since its launch"):
        known.check_unchanged(run)
    assert used(known) != before
    assert launched(known, kind).fingerprints == launched(Catalogue(registry(here)), kind).fingerprints


def test_a_run_scored_by_rules_that_changed_since_is_not_gone_on_with(here: Path) -> None:
    known = Catalogue(registry(here))
    assert SCORER_VERSIONS == {"robust": "1", "reference": "2"}
    assert "scorer" not in launched(known, "interactions").fingerprints
    run = launched(known, "reference")
    assert run.fingerprints.get("scorer") == "2"
    known.check_unchanged(run)
    by_the_first = {name: said for name, said in run.fingerprints.items() if name != "scorer"}
    with pytest.raises(StateConflict, match=r"^the scorer of run r1 changed since its launch"):
        known.check_unchanged(replace(run, fingerprints=by_the_first))
    assert evaluation_key(run.spec, run.fingerprints) != evaluation_key(run.spec, by_the_first)


def test_an_environment_that_is_put_there_later_is_known(here: Path) -> None:
    known = Catalogue(registry(here))
    with pytest.raises(SpecError, match=r"population\.environment: 'other' is not"):
        known.environment("other")
    shutil.copytree(here / "scenarios/mine", here / "scenarios/other")
    assert known.environment("other").scenarios
    assert list(known.environments) == ["mine", "other"]


def test_an_edit_that_keeps_size_and_time_of_modification_is_seen(here: Path) -> None:
    """As `cp -p`, `rsync -t` and `touch -r` leave files behind."""
    edited = here / "benchmarks/deceptionbench.json"
    before, stat = folder_sha256(here / "benchmarks"), edited.stat()
    while edited.stat().st_ctime_ns == stat.st_ctime_ns:  # until the file system's clock has ticked
        edited.write_bytes(edited.read_bytes()[:-1] + b" ")
        os.utime(edited, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (edited.stat().st_size, edited.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert folder_sha256(here / "benchmarks") != before


def test_an_estimate_counts_the_rows_that_are_there_now(here: Path) -> None:
    known = Catalogue(registry(here))
    before = known.outline(spec("interactions")).evaluation
    without_its_last_line(here / "benchmarks/mask/statistics.jsonl")
    assert known.outline(spec("interactions")).evaluation != before


def test_files_that_did_not_change_are_read_once(here: Path) -> None:
    known = Catalogue(registry(here))
    assert known.environment("mine") is known.environment("mine")
    assert known.safety_data("mine") is known.safety_data("mine")
    assert known.training_set("mine", "data.dataset") is known.training_set("mine", "data.dataset")


def test_a_hash_is_of_names_and_contents_wherever_the_folder_lies(here: Path) -> None:
    sha256 = folder_sha256(here / "benchmarks")
    os.utime(here / "benchmarks/deceptionbench.json", ns=(0, 0))
    assert folder_sha256(here / "benchmarks") == sha256
    shutil.copytree(here / "benchmarks", here / "copy")
    assert folder_sha256(here / "copy") == sha256
    (here / "copy/deceptionbench.json").rename(here / "copy/other.json")
    assert folder_sha256(here / "copy") != sha256


@pytest.mark.parametrize(
    ("kind", "setting", "complaint"),
    [
        (
            "interactions",
            "benchmarks",
            "evaluation.data: 'mine' is not registered here; use one of: pocket, or",
        ),
        (
            "interactions",
            "safety_data",
            "mitigations.safety_data: 'mine' is not registered here; use one of: pocket-honest, or",
        ),
        (
            "dataset",
            "datasets",
            "data.dataset: 'mine' is not registered here; use one of: pocket-downstream,",
        ),
    ],
)
def test_a_worker_that_lacks_a_name_says_which_setting_it_lacks(
    here: Path, kind: str, setting: str, complaint: str
) -> None:
    run = launched(Catalogue(registry(here)), kind)
    elsewhere = Catalogue(registry(here).model_copy(update={setting: {}}))
    with pytest.raises(SpecError) as caught:
        elsewhere.check_unchanged(run)
    assert str(caught.value).startswith(complaint)
    assert str(caught.value).endswith(f"or add it to DRIFTLOOP_{setting.upper()}")


def test_a_worker_without_the_environment_or_its_files_says_so(here: Path) -> None:
    run = launched(Catalogue(registry(here)), "interactions")
    elsewhere = Catalogue(registry(here).model_copy(update={"scenarios": PROJECT / "scenarios"}))
    with pytest.raises(
        SpecError, match=r"^population\.environment: 'mine' is not registered here; .*DRIFTLOOP_SCENARIOS$"
    ):
        elsewhere.check_unchanged(run)
    known = Catalogue(registry(here))
    shutil.rmtree(here / "benchmarks")
    with pytest.raises(
        SpecError, match=r"^evaluation\.data: 'mine' is registered as .*mend DRIFTLOOP_BENCHMARKS$"
    ):
        known.check_unchanged(run)
