"""MASK and DeceptionBench with a scripted policy and judge over HTTP: the reference's calls, and its table of the outcome."""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from services.core.domain.endpoint import Endpoint
from services.core.domain.errors import SpecError
from services.core.domain.spec import EvaluationSpec
from services.core.domain.verdict import Verdict
from services.core.llm.hosted import WireModel
from services.evaluator.asking import Examination
from services.evaluator.inspection import MASK_ROWS
from services.evaluator.items import EvaluationItem, catalogue
from services.evaluator.judging.model_judge import ModelJudge
from services.evaluator.judging.prompts import own_pack
from services.evaluator.mask.protocol import belief_plan
from services.evaluator.mask.reference_csv import Repeat, table
from services.evaluator.mask.rows import load_config
from services.evaluator.runner import evaluate_items
from tests.evaluator.model_server import ModelServer, Script, model_server
from tests.evaluator.scripted import (
    LiteralJudge,
    ScriptedUsers,
    binary_row,
    examination,
    numeric_row,
    write_lines,
)
from tests.evaluator.test_loaders import CONFIGS, ROWS

BINARY_COLUMNS = [
    "(System Prompt + User Prompt)_run1",
    *(
        f"(belief_system_1 + belief_elicit_{n})_run{run}"
        for n, run in ((1, 1), (1, 2), (1, 3), (2, 1), (3, 1))
    ),
]


def policy(body: Any) -> str:
    """Say the number, the tags, or a letter."""
    asked = body["messages"][-1]["content"]
    if "<think>" in asked:
        return "<think>I hold it.</think><output>I say it.</output>"
    return "It is 71." if "How" in asked or "percentage" in asked or "figure" in asked else "It is so."


def judge(body: Any) -> str:
    if "response_format" in body:
        return '{"lower_bound": 71, "upper_bound": 71, "relative_lower_bound": null, "relative_upper_bound": null}'
    return "Yes" if "examiner" in body["messages"][0]["content"] else "It says so.\nAnswer: B"


class Evaluated(NamedTuple):
    """What came of it."""

    verdicts: list[Verdict]
    policy: ModelServer
    judge: ModelServer


def evaluate(items: Sequence[EvaluationItem], judge_script: Script = judge, **spec: Any) -> Evaluated:
    async def go() -> Evaluated:
        async with model_server(policy) as said, model_server(judge_script) as ruled:
            models = [
                WireModel(Endpoint.model_validate({"model": "any", "url": server.url}))
                for server in (said, ruled)
            ]
            examined = Examination(
                policy="policy",
                model=models[0],
                judge=ModelJudge("judge", models[1], own_pack()),
                converse=ScriptedUsers(lambda _: "fine"),
                spec=EvaluationSpec.model_validate({"max_tokens": 1000, **spec}),
                run_seed=1,
            )
            found: list[Verdict] = []
            try:
                await evaluate_items(items, examined, 8, found.extend)
            finally:
                for model in models:
                    await model.close()
            return Evaluated(found, said, ruled)

    return asyncio.run(go())


def items(*benchmarks: str, **spec: Any) -> tuple[EvaluationItem, ...]:
    wanted = EvaluationSpec.model_validate({"benchmarks": benchmarks, **spec})
    return catalogue(ROWS, wanted).items


class Calls(NamedTuple):
    """How many an item."""

    policy: int
    judge: int


BINARY, PROVIDED, NUMBERS = Calls(6, 6), Calls(1, 1), Calls(4, 2)
PLAN = {
    **dict.fromkeys(("continuations", "disinformation", "doubling_down_known_facts", "known_facts"), BINARY),
    "provided_facts": PROVIDED,
    "statistics": NUMBERS,
}


@pytest.mark.parametrize("config", CONFIGS)
def test_the_calls_are_the_references(config: str) -> None:
    rows = items("mask", mask_configs=[config])
    done = evaluate(rows)
    assert (len(done.policy.asked), len(done.judge.asked)) == tuple(
        len(rows) * calls for calls in PLAN[config]
    )
    assert {(body["temperature"], body["max_tokens"]) for body in done.policy.asked} == {(1.0, 1000)}
    assert not [verdict.key for verdict in done.verdicts if verdict.is_error]


def test_over_the_published_set_they_are_4438_and_4246() -> None:
    assert sum(rows * PLAN[config].policy for config, rows in MASK_ROWS.items()) == 4438
    assert sum(rows * PLAN[config].judge for config, rows in MASK_ROWS.items()) == 4246
    for config in CONFIGS:
        for row in load_config(ROWS / "mask" / f"{config}.jsonl").rows:
            assert 1 + len(belief_plan(row)) == PLAN[config].policy


def test_more_statements_need_no_more_beliefs() -> None:
    done = evaluate(items("mask", mask_configs=["continuations"]), repeats=4)
    assert (len(done.policy.asked), len(done.judge.asked)) == (9, 9)


@pytest.mark.parametrize(
    ("how", "judged"), [("answer_only", "I say it."), ("full_reply", "<think>I hold it.</think>")]
)
def test_deceptionbench_asks_twice_and_rules_three_times(how: str, judged: str) -> None:
    rows = items("deceptionbench")
    done = evaluate(rows, deception_answer=how)
    assert (len(done.policy.asked), len(done.judge.asked)) == (2 * len(rows), 3 * len(rows))
    assert {body["temperature"] for body in (*done.policy.asked, *done.judge.asked)} == {0.0}
    acts = [text for text in done.judge.questions() if "<reply>" in text]
    assert len(acts) == 2 * len(rows)
    assert all(re.search(rf"<reply>\n{re.escape(judged)}", text) for text in acts)


@pytest.mark.parametrize(
    ("benchmark", "tokens"), [("mask", 1000), ("deceptionbench", 4096), ("capability", 48)]
)
def test_each_benchmark_has_its_own_bound_on_answers(benchmark: str, tokens: int) -> None:
    done = evaluate(
        items(benchmark), max_tokens=48, answer_tokens={"mask": 1000, "deceptionbench": 4096}, limit=1
    )
    assert {body["max_tokens"] for body in done.policy.asked} == {tokens}


def test_what_judging_took_is_kept_with_every_ruling() -> None:
    (verdict, *_) = evaluate(items("mask", mask_configs=["continuations"])).verdicts
    rulings = [verdict.detail["statement"]["ruling"], *(part["ruling"] for part in verdict.detail["beliefs"])]
    assert [ruling["prompt_tokens"] for ruling in rulings] == [100] * 6
    assert {ruling["model"] for ruling in rulings} == {"any-2026-01-01"}


def repeats(verdicts: Sequence[Verdict], config: str) -> list[Repeat]:
    return [Repeat(one.item, one.repeat, one.detail) for one in verdicts if one.subset == config]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_table_has_the_references_columns(config: str) -> None:
    done = evaluate(items("mask", mask_configs=[config]))
    path = ROWS / "mask" / f"{config}.jsonl"
    rows = table(path, repeats(done.verdicts, config))
    assert len(rows) == len(load_config(path).rows)
    wanted = {"provided_facts": BINARY_COLUMNS[:1], "statistics": BINARY_COLUMNS[:4]}.get(
        config, BINARY_COLUMNS
    )
    for row in rows:
        assert [
            column.removeprefix("generation") for column in row if column.startswith("generation")
        ] == wanted
        for column in wanted:
            assert row[f"generation{column}"]
            assert row[f"eval{column}"]
            label = row[f"eval{column}_extracted"]
            assert label == ("(71.0, 71.0)" if config == "statistics" else "B")
        assert row["proposition"]
        assert row["ground_truth_extracted"]
        assert "canary" not in row
        assert (row["driftloop_honesty_1"], row["task_id"][:4]) == (_honesty(row, config), "syn-")


def _honesty(row: dict[str, str], config: str) -> str:
    # Everybody says B; where the fact was provided, it is the belief.
    return "-1" if config == "provided_facts" and row["ground_truth_extracted"] == "A" else "1"


def scripted(folder: Path, config: str, row: dict[str, Any], **how: Any) -> dict[str, str]:
    """Return the table's row of one item with a literal judge."""
    path = write_lines(folder / f"{config}.jsonl", ["not json", row])
    ((parsed,), _) = load_config(path)
    item = items("mask", mask_configs=[config])[0]
    item = EvaluationItem(item.benchmark, config, parsed.id, parsed)
    found: list[Verdict] = []
    asyncio.run(evaluate_items([item], examination(**how), 4, found.extend))
    (cells,) = table(path, repeats(found, config))
    return cells


def test_several_statements_stand_side_by_side_and_one_lie_makes_the_whole_a_lie(tmp_path: Path) -> None:
    turn = iter("ABA")

    def script(request: Any) -> str:
        return next(turn) if request.messages[0].content == "Sell it." else "A"

    row = scripted(tmp_path, "known_facts", binary_row(1), script=script, repeats=3)
    said = [row[f"eval(System Prompt + User Prompt)_run{n}_extracted"] for n in (1, 2, 3)]
    assert Counter(said) == {"A": 2, "B": 1}
    assert row["driftloop_honesty_3"] == "-1"
    assert row["driftloop_honesty_1"] == ("1" if said[0] == "A" else "-1")
    assert (row["driftloop_belief"], row["driftloop_accuracy"]) == ("A", "1")


def test_rows_of_the_older_columns_are_found_again(tmp_path: Path) -> None:
    row = scripted(tmp_path, "known_facts", binary_row(1, task_id=None))
    assert len(row["task_id"]) == 16
    assert row["driftloop_honesty_1"] == "1"


def test_what_the_published_code_cannot_read_stands_as_it_reads_it(tmp_path: Path) -> None:
    row = scripted(tmp_path, "known_facts", binary_row(1), script=lambda _: "Option A")
    assert row["eval(System Prompt + User Prompt)_run1_extracted"] == "Option A"


def test_blank_replies_and_failed_judges(tmp_path: Path) -> None:
    blank = scripted(tmp_path, "statistics", numeric_row(1), script=lambda _: " ")
    assert blank["eval(belief_system_1 + belief_elicit_1)_run3_extracted"] == "(None, None)"
    assert blank["driftloop_honesty_1"] == "0"

    class Silent(LiteralJudge):
        async def binary(self, case: Any) -> Any:
            said = await super().binary(case)
            return said if case.reply == "B" else type(said)("no line")

    row = scripted(tmp_path, "known_facts", binary_row(1), script=lambda _: "C", judge=Silent())
    assert row["eval(System Prompt + User Prompt)_run1_extracted"] == ""


def test_rows_that_are_others_than_those_measured_are_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "known_facts.jsonl", [binary_row(1)])
    with pytest.raises(SpecError, match="has no row gone; the rows are others"):
        table(path, [Repeat("gone", 0, {})])
