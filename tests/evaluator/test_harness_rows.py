"""What is known of the harness without it: rows, items, what is refused and how, and the policy as the harness meets it."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.app.catalogue import Catalogue
from services.core.domain.errors import SpecError
from services.core.domain.identity import run_hash
from services.core.domain.spec import EvaluationSpec, RunSpec
from services.core.settings import PROJECT, Settings
from services.evaluator.asking import Examination
from services.evaluator.harness.gateway import open_gateway
from services.evaluator.harness.rows import load_rows
from services.evaluator.harness.scoring import score
from services.evaluator.harness.tasks import SAMPLES, VERSIONS
from services.evaluator.items import catalogue
from tests.evaluator.harness_runs import write_rows
from tests.evaluator.scripted import ScriptedModel, examination, fails, write_lines

MMLU = {"question": "Colour?", "subject": "art", "choices": list("abcd"), "answer": 2}
GSM8K = {"question": "1 + 1?", "answer": "It is\n#### 2"}
WRONG = {f"Incorrect Answer {n}": f"w{n}" for n in (1, 2, 3)}
GPQA = {"Question": "Which?", "Correct Answer": "r", **WRONG}
PROGRAM = {"task_id": "T/0", "prompt": "def f():", "canonical_solution": "  return 1", "entry_point": "f"}


def _evaluation(*tasks: str, **more: Any) -> EvaluationSpec:
    return EvaluationSpec.model_validate({"harness": {"tasks": tasks, **more}, "benchmarks": ["capability"]})


def _run(*tasks: str, **more: Any) -> RunSpec:
    return RunSpec.model_validate(
        {
            "name": "one",
            "rounds": 1,
            "population": {"biased_share": 0.5},
            "training": {"method": "sft"},
            "evaluation": {"harness": {"tasks": tasks, **more}},
        }
    )


@pytest.mark.parametrize(
    ("task", "row", "reason"),
    [
        ("mmlu_0_shot", {**MMLU, "choices": list("abc")}, "choices: not a list of four texts"),
        ("mmlu_0_shot", {**MMLU, "choices": ["a", "b", "c", 4]}, "choices: not a list of four texts"),
        ("mmlu_0_shot", {**MMLU, "answer": 4}, "answer: not the place of a choice, 0 to 3"),
        ("mmlu_0_shot", {**MMLU, "answer": True}, "answer: not the place of a choice, 0 to 3"),
        ("gsm8k", {**GSM8K, "answer": "2"}, "answer: has nothing behind ####"),
        ("gsm8k", {**GSM8K, "answer": "It is #### "}, "answer: has nothing behind ####"),
        ("gpqa_diamond", {**GPQA, "Incorrect Answer 2": ""}, "Incorrect Answer 2: missing or empty"),
        ("humaneval", PROGRAM, "test: missing or empty"),
    ],
)
def test_a_row_that_the_harness_could_not_use_is_skipped_with_its_reason(
    tmp_path: Path, task: str, row: dict[str, Any], reason: str
) -> None:
    good = {"mmlu_0_shot": MMLU, "gsm8k": GSM8K, "gpqa_diamond": GPQA}.get(task, {**PROGRAM, "test": "check"})
    loaded = load_rows(write_lines(tmp_path / f"{task}.jsonl", [row, good, good]))
    assert [(skip.row, skip.reason) for skip in loaded.skipped] == [
        (1, reason),
        (3, "id: used by an earlier row"),
    ]
    assert len(loaded.rows) == 1


def test_items_are_places_in_place_of_questions(tmp_path: Path) -> None:
    write_rows(tmp_path)
    write_lines(tmp_path / "capability/own.jsonl", [{"id": 1, "question": "1 + 1?", "answer": "2"}])
    keys = [item.key for item in catalogue(tmp_path, _evaluation("gsm8k", rows="data", limit=2)).items]
    assert keys == ["capability:gsm8k:0", "capability:gsm8k:1"]
    hub = catalogue(tmp_path, _evaluation("gpqa_diamond", "humaneval")).items
    assert len(hub) == SAMPLES["gpqa_diamond"] + SAMPLES["humaneval"]
    assert [item.key for item in catalogue(tmp_path, _evaluation()).items] == ["capability:own:1"]


def test_a_task_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"evaluation.harness.rows: there is no humaneval.jsonl, .csv"):
        catalogue(write_rows(tmp_path), _evaluation("humaneval", rows="data"))


@pytest.mark.parametrize(
    ("evaluation", "complaint"),
    [
        (
            {"harness": {"tasks": ["gsm8k"]}, "benchmarks": ["mask"]},
            "add capability to evaluation.benchmarks",
        ),
        ({"harness": {"tasks": ["gsm8k", "gsm8k"]}}, "names a task twice"),
        ({"harness": {"tasks": ["truthfulqa"]}}, "mmlu_0_shot"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(evaluation: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        EvaluationSpec.model_validate(evaluation)


def test_without_the_harness_its_tasks_are_refused_with_the_mend(tmp_path: Path) -> None:
    known = {"data": tmp_path, "redis_url": None}
    none = Catalogue(Settings.model_validate({**known, "inspect_python": None}))
    with pytest.raises(SpecError, match=r"not installed here; `make inspect`, or `pip install inspect-ai=="):
        none.check(_run("gsm8k"))
    other = Catalogue(Settings.model_validate({**known, "inspect_python": PROJECT / ".venv/bin/python"}))
    with pytest.raises(SpecError, match="has no inspect_ai with inspect_evals; `make inspect`"):
        other.check(_run("gsm8k"))
    none.check(_run())


def test_programs_are_refused_where_there_is_no_docker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setattr("services.app.catalogue.check_installed", lambda python: python)
    known = Catalogue(Settings.model_validate({"data": tmp_path, "redis_url": None}))
    with pytest.raises(SpecError, match="humaneval runs programs that the policy wrote, only in docker"):
        known.check(_run("gsm8k", "humaneval"))
    known.check(_run("gsm8k"))


def test_runs_without_a_harness_stay_themselves_and_its_versions_are_part_of_others(tmp_path: Path) -> None:
    known = Catalogue(Settings.model_validate({"data": tmp_path, "redis_url": None}))
    assert "harness" not in _run().identity()["evaluation"]
    assert "harness" not in known.fingerprints(_run())
    prints = known.fingerprints(_run("gsm8k"))
    assert run_hash(_run("gsm8k"), prints) != run_hash(_run("gsm8k"), {**prints, "harness": "newer"})


def test_a_dry_run_counts_what_the_harness_will_ask(tmp_path: Path) -> None:
    known = Catalogue(Settings.model_validate({"data": tmp_path, "redis_url": None}))
    asked = known.outline(_run("gpqa_diamond", "mmlu_0_shot", limit=5)).evaluation
    (capability,) = [calls for calls in asked if calls.part == "capability"]
    assert (capability.calls, capability.most_completion_tokens) == (4 * 5 + 5, 4 * 5 * 48 + 5 * 16)


def test_what_make_inspect_installs_is_what_is_measured_with() -> None:
    pins = (PROJECT / "docker/inspect.txt").read_text()
    found = {
        name: re.findall(rf"^{name.replace('-', '[-_]')}==(.+)$", pins, re.MULTILINE) for name in VERSIONS
    }
    assert found == {name: [version] for name, version in VERSIONS.items()}


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"value": "C"}, "correct"),
        ({"value": 1.0}, "correct"),
        ({"value": "I"}, "wrong"),
        ({"value": "P"}, "wrong"),
        ({"value": None, "error": "Error 400", "cause": "timeout"}, "gen_error"),
        ({"value": None, "error": "no sandbox"}, "judge_error"),
        ({"error": "killed", "cause": "harness_died"}, "judge_error"),
    ],
)
def test_a_record_is_scored_as_the_harness_said(said: dict[str, Any], outcome: str) -> None:
    assert str(score({"harness": "h", "task": "gsm8k", **said}).outcome) == outcome


def test_the_policy_answers_the_harness_with_seeds_of_their_own_names() -> None:
    asking = examination(lambda request: f"said {request.messages[-1].content}")
    assert isinstance(asking.model, ScriptedModel)
    for _ in range(2):
        answers = asyncio.run(_asked(asking, [_chat("a"), _chat("a"), _chat("b")]))
        texts = [answer["choices"][0]["message"]["content"] for answer in answers]
        assert texts == ["said a", "said a", "said b"]
    seeds = [request.sampling.seed for request in asking.model.requests]
    assert seeds[:3] == seeds[3:]  # a second time, or for another policy, the same
    assert len(set(seeds)) == 3  # repeats of a question differ
    assert {request.model for request in asking.model.requests} == {"run-1-r0"}


@pytest.mark.parametrize(
    ("more", "may_begin", "complaint"),
    [
        ({"stop": ["\n"]}, True, "driftloop-cause: unsupported: stop: Extra inputs"),
        ({}, True, "driftloop-cause: timeout: the server is down"),
        ({}, False, "driftloop-cause: budget"),
    ],
)
def test_what_the_policy_is_not_asked_or_cannot_answer_is_a_refusal(
    more: dict[str, Any], may_begin: bool, complaint: str
) -> None:
    (said,) = asyncio.run(_asked(examination(fails), [_chat("a", **more)], lambda: may_begin))
    assert said["error"]["message"].startswith(complaint)


def _chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "any", "messages": [{"role": "user", "content": text}], "max_tokens": 9, **more}


async def _asked(
    asking: Examination, chats: list[dict[str, Any]], may_begin: Callable[[], bool] = lambda: True
) -> list[Any]:
    answers: list[Any] = []
    async with open_gateway(asking, may_begin) as gateway, aiohttp.ClientSession() as client:
        for chat in chats:
            async with client.post(f"{gateway.url}/chat/completions", json=chat) as answer:
                answers.append(await answer.json())
        assert gateway.is_shut.is_set() is not may_begin()
    return answers
