"""Benchmark rows from files: the same rows whichever format they came in, in old and new columns; what can't be used is said."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from services.core.domain.errors import SpecError
from services.core.domain.spec import EvaluationSpec
from services.evaluator.capability.rows import load_questions
from services.evaluator.capability.rules import is_correct
from services.evaluator.items import catalogue
from services.evaluator.mask.rows import load_config
from services.evaluator.rowfiles import row_files
from tests.evaluator.scripted import binary_row, numeric_row, write_folder, write_lines

ROWS = Path(__file__).parents[1] / "fixtures" / "benchmarks"
CONFIGS = sorted(path.stem for path in (ROWS / "mask").iterdir())
NEWER = ("task_id", "type", "delivery")


def raw(config: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ROWS / "mask" / f"{config}.jsonl").read_text().splitlines()]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows in the format of the path's name, as pandas and `datasets` do."""
    if path.suffix == ".jsonl":
        return write_lines(path, rows)
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        return path
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_there_is_a_row_of_each_configuration() -> None:
    assert CONFIGS == [
        "continuations",
        "disinformation",
        "doubling_down_known_facts",
        "known_facts",
        "provided_facts",
        "statistics",
    ]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_every_format_holds_the_same_rows(config: str, suffix: str, tmp_path: Path) -> None:
    lines = load_config(ROWS / "mask" / f"{config}.jsonl")
    other = load_config(write(tmp_path / f"{config}{suffix}", raw(config)))
    assert lines.rows
    assert other == lines


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_the_older_columns_hold_the_same_items_under_ids_of_their_own(
    config: str, suffix: str, tmp_path: Path
) -> None:
    older = [{name: row[name] for name in row if name not in NEWER} for row in raw(config)]
    new, old = (
        load_config(ROWS / "mask" / f"{config}.jsonl"),
        load_config(write(tmp_path / f"{config}{suffix}", older)),
    )
    assert old.skipped == ()
    assert [(row.pressured, row.truth, row.beliefs) for row in old.rows] == [
        (row.pressured, row.truth, row.beliefs) for row in new.rows
    ]
    assert len({row.id for row in old.rows}) == len(old.rows)
    (tmp_path / "again").mkdir()
    again = load_config(write(tmp_path / "again" / f"{config}{suffix}", older[::-1]))
    assert {row.id for row in again.rows} == {row.id for row in old.rows}


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_rows_with_line_breaks_quotes_and_odd_characters(suffix: str, tmp_path: Path) -> None:
    said = 'She said:\r\n"no", and – left.\n\n\u2028'
    rows = [binary_row(1, system_prompt=said), binary_row(2)]
    found = load_config(write(tmp_path / f"known_facts{suffix}", rows))
    assert [row.id for row in found.rows] == ["row-1", "row-2"]
    assert found.rows[0].pressured[0].content == said


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_an_empty_cell_is_a_missing_value(suffix: str, tmp_path: Path) -> None:
    rows = [
        binary_row(1, dd_turn_1_prompt=None, dd_turn_1_response=None),
        binary_row(2, belief_elicit_2=None),
    ]
    rows[1] |= {"dd_turn_1_prompt": "Is it?", "dd_turn_1_response": "It is."}
    found = load_config(write(tmp_path / f"known_facts{suffix}", rows))
    assert [len(row.pressured) for row in found.rows] == [2]
    assert [skip.reason for skip in found.skipped] == ["belief_elicit_2: missing or empty"]


@pytest.mark.parametrize(
    ("suffix", "place"), [(".jsonl", 2), (".csv", 5), (".parquet", 2)], ids=["jsonl", "csv", "parquet"]
)
def test_a_skipped_row_is_told_by_its_line_or_place(suffix: str, place: int, tmp_path: Path) -> None:
    rows = [binary_row(1, user_prompt="a\nb\nc"), binary_row(2, formatted_ground_truth="E"), binary_row(3)]
    found = load_config(write(tmp_path / f"known_facts{suffix}", rows))
    assert [row.id for row in found.rows] == ["row-1", "row-3"]
    assert found.skipped == ((f"known_facts{suffix}", place, "formatted_ground_truth: not A or B"),)


def test_a_csv_row_with_cells_too_few_or_too_many(tmp_path: Path) -> None:
    path = write(tmp_path / "statistics.csv", [numeric_row(1), numeric_row(2)])
    lines = path.read_text().splitlines()
    path.write_text(
        "\ufeff" + "\n".join([lines[0], lines[1] + ",more", lines[2].partition(',"[')[0], lines[2]])
    )
    found = load_config(path)
    assert [row.id for row in found.rows] == ["number-2"]
    assert {(skip.row, skip.reason) for skip in found.skipped} == {
        (2, "row: has more or fewer cells than the header"),
        (3, "row: has more or fewer cells than the header"),
    }


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.parquet", b"PAR0 nothing", "is not Parquet"),
        ("a.csv", b'one,two\n"open', "is not CSV, from line"),
        ("a.csv", b"\xff\xfe", "is not UTF-8 text"),
        ("a.jsonl", b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(
    name: str, content: bytes, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpecError, match=complaint):
        load_config(tmp_path / name)


def test_two_files_of_one_subset_are_refused(tmp_path: Path) -> None:
    for suffix in (".csv", ".jsonl"):
        write(tmp_path / f"statistics{suffix}", [numeric_row(1)])
    with pytest.raises(SpecError, match="hold the same subset; keep one of them"):
        row_files(tmp_path)


def keys(folder: Path, **spec: Any) -> list[str]:
    wanted = EvaluationSpec.model_validate({"benchmarks": ["mask", "capability"], **spec})
    return [item.key for item in catalogue(folder, wanted).items]


def test_a_spec_may_take_some_configurations(tmp_path: Path) -> None:
    found = keys(write_folder(tmp_path), mask_configs=["statistics", "provided_facts"])
    assert {key.split(":")[1] for key in found if key.startswith("mask:")} == {"statistics", "provided_facts"}
    with pytest.raises(
        SpecError, match=r"mask_configs: .* has no sarcasm; it has known_facts, provided_facts"
    ):
        keys(tmp_path, mask_configs=["sarcasm"])


def test_a_limit_takes_the_first_of_each_subset_and_a_larger_one_only_adds(tmp_path: Path) -> None:
    write_folder(tmp_path)
    assert keys(tmp_path, limit=1) == [
        "mask:known_facts:row-0",
        "mask:provided_facts:row-0",
        "mask:statistics:number-0",
        "capability:sums:0",
    ]
    assert set(keys(tmp_path, limit=1)) < set(keys(tmp_path, limit=2)) < set(keys(tmp_path))


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("gsm8k.jsonl", "12 apples less 2 make\n10", "12"),
        ("mmlu.jsonl", "Mercury is the closest.\nB", "A"),
        ("gpqa_diamond.csv", None, "E"),
    ],
)
def test_public_capability_sets_are_read_as_they_are(file: str, right: str | None, wrong: str) -> None:
    ((row,), skipped) = load_questions(ROWS / "capability" / file)
    assert skipped == ()
    assert is_correct(right or row.answer, row.answer)
    assert not is_correct(wrong, row.answer)


def test_the_choices_of_gpqa_stand_in_a_drawn_order_with_the_right_one_among_them() -> None:
    ((row,), _) = load_questions(ROWS / "capability" / "gpqa_diamond.csv")
    (again,), _ = load_questions(ROWS / "capability" / "gpqa_diamond.csv")
    assert again == row
    listed = dict(line.split(". ") for line in row.question.splitlines() if line[1:3] == ". ")
    assert sorted(listed.values()) == ["1", "2", "3", "4"]
    assert listed[row.answer] == "2"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": "?", "choices": ["a"], "answer": 1}, "answer: not the place of a choice"),
        ({"question": "?", "choices": "a", "answer": 0}, "choices: not a list of texts"),
        ({"question": "?", "answer": "12 ####"}, "answer: has nothing behind ####"),
        ({"task_id": "x", "canonical_solution": ""}, "row: asks for a program, which is not run here"),
    ],
)
def test_capability_rows_that_cannot_be_used(row: dict[str, Any], reason: str, tmp_path: Path) -> None:
    _, skipped = load_questions(write_lines(tmp_path / "some.jsonl", [row]))
    assert [skip.reason for skip in skipped] == [reason]
