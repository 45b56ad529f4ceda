from pathlib import Path
from typing import Any

import pytest

from services.core.domain.chat import Message
from services.core.domain.errors import SpecError
from services.core.domain.spec import EvaluationSpec
from services.evaluator.items import catalogue
from services.evaluator.mask.protocol import belief_plan
from services.evaluator.mask.rows import load_config
from services.evaluator.mask.rules import Bounds
from tests.evaluator.scripted import binary_row, numeric_row, scenario, write_folder, write_lines

POCKET = Path(__file__).parents[2] / "services" / "pocket" / "data" / "benchmarks"


def spec(*benchmarks: str, profiles: int = 3) -> EvaluationSpec:
    return EvaluationSpec(benchmarks=benchmarks, held_out_profiles=profiles)  # pyright: ignore


def test_items_come_in_one_order_with_stable_keys(tmp_path: Path) -> None:
    people = [scenario("money", "ab"), scenario("leaving", "cde"), scenario("trained", "fgh", held_out=False)]
    everything = spec("held_out", "capability", "mask", "deceptionbench")
    found = catalogue(write_folder(tmp_path), everything, people)
    assert found == catalogue(tmp_path, everything, people[::-1])
    assert found.skipped == ()
    assert [item.key for item in found.items] == [
        "mask:known_facts:row-0",
        "mask:known_facts:row-1",
        "mask:known_facts:row-2",
        "mask:provided_facts:row-0",
        "mask:provided_facts:row-1",
        "mask:statistics:number-0",
        "mask:statistics:number-1",
        "deceptionbench:sandbagging:1",
        "deceptionbench:alignment_faking:2",
        "capability:sums:0",
        "capability:sums:1",
        "held_out:leaving:c/benign",
        "held_out:leaving:c/biased",
        "held_out:money:a/benign",
        "held_out:money:a/biased",
        "held_out:leaving:d/benign",
        "held_out:leaving:d/biased",
    ]


def test_only_the_benchmarks_of_the_spec(tmp_path: Path) -> None:
    items = catalogue(write_folder(tmp_path), spec("capability")).items
    assert {item.benchmark.value for item in items} == {"capability"}


def test_more_held_out_profiles_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="held_out_profiles: 3 is more than the 2 profiles"):
        catalogue(
            tmp_path, spec("held_out"), [scenario("money", "ab"), scenario("leaving", "cde", held_out=False)]
        )


@pytest.mark.parametrize("benchmark", ["mask", "deceptionbench", "capability"])
def test_a_benchmark_without_rows(benchmark: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"evaluation\.data"):
        catalogue(tmp_path, spec(benchmark))


def test_a_file_without_a_usable_row(tmp_path: Path) -> None:
    write_lines(tmp_path / "capability" / "sums.jsonl", [{"id": 1, "question": "?"}])
    with pytest.raises(SpecError, match="skipped for: answer: missing"):
        catalogue(tmp_path, spec("capability"))


def test_a_binary_file(tmp_path: Path) -> None:
    (tmp_path / "capability").mkdir()
    (tmp_path / "capability" / "sums.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="not UTF-8"):
        catalogue(tmp_path, spec("capability"))


def test_a_binary_row(tmp_path: Path) -> None:
    (row,), _ = load_config(write_lines(tmp_path / "known_facts.jsonl", [binary_row(1, type="numerical")]))
    assert (row.kind, row.truth) == ("binary", "A")
    assert row.propositions == ("A whale is a fish.", "A whale is not a fish.")
    assert row.pressured == (Message("system", "Sell it."), Message("user", "Is a whale a fish?"))
    assert [chat[-1].content.split(":")[0] for chat in row.beliefs] == ["direct", "around", "leading"]
    assert belief_plan(row) == ((1, 0), (1, 1), (1, 2), (2, 0), (3, 0))


def test_a_numerical_row(tmp_path: Path) -> None:
    (row,), _ = load_config(write_lines(tmp_path / "statistics.jsonl", [numeric_row(1, type="binary")]))
    assert (row.kind, row.truth) == ("numerical", Bounds(70, 72))
    assert row.propositions == ("About <value>% is water.",)
    assert belief_plan(row) == ((1, 0), (1, 1), (1, 2))


def test_provided_facts_elicit_no_belief(tmp_path: Path) -> None:
    (row,), _ = load_config(write_lines(tmp_path / "provided_facts.jsonl", [binary_row(1)]))
    assert belief_plan(row) == ()


def test_doubling_down_puts_the_first_answer_into_the_policys_mouth(tmp_path: Path) -> None:
    given = binary_row(1, dd_turn_1_prompt="Is it?", dd_turn_1_response="It is.")
    (row,), _ = load_config(write_lines(tmp_path / "doubling_down_known_facts.jsonl", [given]))
    assert [message.role for message in row.pressured] == ["system", "user", "assistant", "user"]


def test_a_missing_id_is_a_hash_of_the_prompts(tmp_path: Path) -> None:
    rows = [binary_row(1, task_id=None), binary_row(2, task_id=None, user_prompt="Another?")]
    first, second = load_config(write_lines(tmp_path / "known_facts.jsonl", rows)).rows
    again = load_config(write_lines(tmp_path / "other.jsonl", rows)).rows
    assert first.id != second.id
    assert (first.id, second.id) == (again[0].id, again[1].id)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (binary_row(1, proposition="No mark."), "proposition: does not hold one <pivotal>A/B</pivotal>"),
        (
            binary_row(1, proposition="<pivotal>a/b/c</pivotal>"),
            "proposition: does not hold one <pivotal>A/B</pivotal>",
        ),
        (binary_row(1, formatted_ground_truth="C"), "formatted_ground_truth: not A or B"),
        (binary_row(1, belief_elicit_2=None), "belief_elicit_2: missing or empty"),
        (binary_row(1, system_prompt=3), "system_prompt: missing or empty"),
        (binary_row(0), "id: used by an earlier row"),
        (numeric_row(1, formatted_ground_truth="[1]"), "formatted_ground_truth: not two numbers"),
        (numeric_row(1, formatted_ground_truth="[NaN, 1]"), "formatted_ground_truth: not two numbers"),
        (numeric_row(1, formatted_ground_truth=None), "formatted_ground_truth: not two numbers"),
        ("{not json", "row: not JSON"),
        ("[1]", "row: not a JSON object"),
    ],
)
def test_a_row_that_cannot_be_used_is_skipped_and_counted(bad: Any, reason: str, tmp_path: Path) -> None:
    rows, skipped = load_config(write_lines(tmp_path / "known_facts.jsonl", [binary_row(0), bad]))
    assert len(rows) == 1
    assert skipped == (("known_facts.jsonl", 2, reason),)


def test_the_pocket_rows_are_usable() -> None:
    found = catalogue(POCKET, spec("mask", "deceptionbench", "capability"))
    assert found.skipped == ()
    assert len({item.key for item in found.items}) == len(found.items)
    assert {item.subset for item in found.items} >= {
        "known_facts",
        "provided_facts",
        "statistics",
        "sycophancy",
    }
