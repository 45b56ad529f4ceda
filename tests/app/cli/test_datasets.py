"""`driftloop datasets`: what a folder holds beside the published counts, and fetching, here from a copy of the Hub's layout."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.app.cli.datasets import app
from services.core.settings import PROJECT
from services.evaluator.inspection import DECEPTION_ROWS, MASK_ROWS
from tests.evaluator.scripted import binary_row, deception_row, write_lines
from tests.evaluator.test_loaders import ROWS


def check(folder: Path, code: int = 0) -> Any:
    done = CliRunner().invoke(app, ["check", str(folder), "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def shown(folder: Path) -> str:
    return CliRunner().invoke(app, ["check", str(folder)]).output


def test_the_published_counts_are_those_of_the_papers() -> None:
    assert sum(MASK_ROWS.values()) == 1000
    assert sum(DECEPTION_ROWS.values()) == 180


def test_counts_stand_beside_the_published_ones() -> None:
    found = check(ROWS)
    parts = {(part["benchmark"], part["subset"]): part for part in found["parts"]}
    assert {key: part["published"] for key, part in parts.items() if key[0] == "mask"} == {
        ("mask", config): rows for config, rows in MASK_ROWS.items()
    }
    assert (parts["mask", "known_facts"]["usable"], parts["deceptionbench", "sandbagging"]["usable"]) == (
        2,
        1,
    )
    assert parts["capability", "gsm8k"]["published"] == 1319
    assert found["missing"] == []
    assert "is not, byte for byte, the published file" in found["notes"][0]


def test_what_is_missing_and_what_is_skipped_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows = [binary_row(1), binary_row(2, proposition="No mark."), "{"]
    write_lines(tmp_path / "mask" / "known_facts.jsonl", rows)
    (tmp_path / "deceptionbench.json").write_text(
        json.dumps([deception_row(1), deception_row(2, outer_prompt="")])
    )
    found = check(tmp_path)
    assert [skip for part in found["parts"] for skip in part["skipped"]] == [
        {
            "file": "known_facts.jsonl",
            "row": 2,
            "reason": "proposition: does not hold one <pivotal>A/B</pivotal>",
        },
        {"file": "known_facts.jsonl", "row": 3, "reason": "row: not JSON"},
        {"file": "deceptionbench.json", "row": 2, "reason": "outer_prompt: missing or empty"},
    ]
    assert "mask/statistics" in found["missing"]
    assert "mask/known_facts" not in found["missing"]
    text = shown(tmp_path)
    assert "skipped known_facts.jsonl:2: proposition: does not hold one <pivotal>A/B</pivotal>" in text
    assert "missing: mask/continuations, mask/disinformation" in text


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        (
            "deceptionbench.json",
            json.dumps([deception_row(1, type="Economy")]),
            "type 'Economy' names no single",
        ),
        ("mask/known_facts.csv", '"open', "is not CSV"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(
    file: str, content: str, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    assert problem in " ".join(str(part["problem"]) for part in check(tmp_path, code=1)["parts"])
    assert problem in shown(tmp_path)


def test_the_canary_is_never_printed() -> None:
    assert "SYNTHETIC-ROW" not in shown(ROWS) + json.dumps(check(ROWS))


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    start = "from services.app.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", start, "datasets", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **environment},
    )


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = run("check", tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"driftloop: {tmp_path}/nowhere: there is no such file or folder")
    assert done.stderr.count("\n") == 1


def hub_copy(folder: Path) -> Path:
    """Lay rows out as a dataset repository: a card that names configurations, a file each."""
    folder.mkdir()
    configs = "".join(
        f"- config_name: {config}\n  data_files:\n  - split: test\n    path: {config}.jsonl\n"
        for config in MASK_ROWS
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    for config in MASK_ROWS:
        shutil.copy(ROWS / "mask" / f"{config}.jsonl", folder)
    return folder


def test_a_fetched_set_holds_the_rows_of_the_hub(tmp_path: Path) -> None:
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    done = run("fetch", "mask", tmp_path / "data", "--source", hub_copy(tmp_path / "copy"), **offline)
    assert done.returncode == 0, done.stderr
    parts = check(tmp_path / "data")["parts"]
    assert {part["subset"]: part["usable"] for part in parts if part["benchmark"] == "mask"} == {
        config: sum(1 for _ in (ROWS / "mask" / f"{config}.jsonl").open()) for config in MASK_ROWS
    }


def test_a_hub_that_cannot_be_reached_is_one_line_and_says_what_to_do(tmp_path: Path) -> None:
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    done = run("fetch", "deceptionbench", tmp_path / "data", **offline)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("driftloop: PKU-Alignment/DeceptionBench can't be fetched: ")
    assert "set HF_TOKEN" in line
    assert "mask" not in {path.name for path in tmp_path.iterdir()}


def training_file(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [
        {"instruction": "Name it.", "context": "", "response": text} for text in ("It.", "", "That.", " ")
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "rows.jsonl"


def test_a_training_set_is_told_by_format_and_rows_and_every_broken_row_by_its_line(tmp_path: Path) -> None:
    path = training_file(tmp_path)
    found = check(path)
    assert (found["format"], found["levels"], found["rows"], found["unmatched"]) == ("dolly", [], 2, 0)
    assert found["broken"] == [
        {"file": "rows.jsonl", "line": line, "reason": "response: empty"} for line in (2, 4)
    ]
    text = shown(path)
    assert "dolly, 2 rows" in text
    assert text.count("broken rows.jsonl:") == 2
    assert "broken rows.jsonl:4: response: empty" in text


def test_the_check_lists_every_kind_of_broken_row(tmp_path: Path) -> None:
    def line(*said: tuple[str, str]) -> bytes:
        return json.dumps({"messages": [{"role": role, "content": text} for role, text in said]}).encode()

    asked, answered = ("user", "why?"), ("assistant", "so.")
    broken = [
        (b'{"text": "so."}', "messages: missing, or not a list of messages"),
        (line(answered, asked), "messages: wrong order of roles; after at most one system message, user and"),
        (line(asked, ("assistant", "")), "messages.1.content: empty"),
        (b'{"messages": "\xff"}', "row: not UTF-8"),
        (line(asked, ("assistant", "x" * 5_000_000)), "row: 5.0 MB, more than the 1 MB that a row may have"),
    ]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join([line(asked, answered), *(row for row, _ in broken)]))
    found = check(path)
    assert (found["format"], found["rows"], len(found["broken"])) == ("messages", 1, 5)
    text = shown(path)
    for number, (listed, (_, reason)) in enumerate(zip(found["broken"], broken, strict=True), 2):
        assert (listed["file"], listed["line"]) == ("rows.jsonl", number)
        assert listed["reason"].startswith(reason)
        assert f"broken rows.jsonl:{number}: {reason}" in text
    assert "5 broken rows, which are not trained on" in text


def test_a_training_set_without_a_row_to_use_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "x"}\n')
    done = run("check", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no row has the columns of a known format" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_fetched_training_set_says_where_it_is_from(tmp_path: Path) -> None:
    copy = training_file(tmp_path / "copy").parent
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    done = run("fetch", "dolly-15k", tmp_path / "data", "--source", copy, **offline)
    assert done.returncode == 0, done.stderr
    found = check(tmp_path / "data" / "dolly-15k.parquet")
    assert (found["format"], found["rows"]) == ("dolly", 2)
    assert found["source"] == {"name": str(copy), "revision": None}


def test_a_training_set_that_the_hub_does_not_give_is_one_line(tmp_path: Path) -> None:
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    done = run("fetch", "alpaca-cleaned", tmp_path / "data", **offline)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("driftloop: yahma/alpaca-cleaned can't be fetched: ")
