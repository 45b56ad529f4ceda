"""The harness as a process: the real inspect_evals on rows of our own, a policy that answers by script, kills and an empty purse."""

import asyncio
import json
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from services.app.catalogue import Catalogue
from services.app.wiring import open_worker
from services.core.db import evaluations, verdicts
from services.core.db.session import transaction
from services.core.domain.measures import measures
from services.core.domain.phases import WorkerKind
from services.core.domain.verdict import Verdict
from services.core.operations import launching
from services.core.operations.measurements import measurement
from services.core.operations.planning import read_arms
from services.core.settings import PROJECT, Settings
from services.evaluator.harness.measuring import Harness, Samples
from services.evaluator.items import catalogue
from services.evaluator.scoring import rescore
from tests.evaluator.harness_runs import (
    harnesses,
    inspect_python,
    letter_of,
    question_of,
    serving,
    write_rows,
)
from tests.evaluator.model_server import Fault
from tests.evaluator.scripted import Script, examination, write_lines

pytestmark = pytest.mark.slow


def _spec(*tasks: str, shard_size: int = 100) -> dict[str, object]:
    return {
        "name": "harness",
        "rounds": 1,
        "population": {"biased_share": 0.5, "conversations": 8},
        "selection": {"top": 4, "bottom": 4},
        "training": {"method": "sft"},
        "evaluation": {
            "benchmarks": ["capability"],
            "data": "rows",
            "harness": {"tasks": tasks, "rows": "data"},
        },
        "concurrency": {"shard_size": shard_size},
    }


def _settings(data: Path, **more: object) -> Settings:
    rows = {"rows": write_rows(data / "benchmarks")}
    known = {"data": data, "redis_url": None, "benchmarks": rows, "inspect_python": inspect_python(), **more}
    return Settings.model_validate(known)


def _launched(settings: Settings, engine: Engine, spec: dict[str, object]) -> str:
    with transaction(engine) as session:
        return launching.launch(session, "harness", read_arms(spec, Catalogue(settings))).run_ids[0]


def _measured(settings: Settings, engine: Engine, run_id: str) -> dict[tuple[str, int], Verdict]:
    with open_worker(settings, engine, "w", [WorkerKind.EVALUATOR]) as worker:
        while worker.work_one():
            pass
    with transaction(engine) as session:
        evaluation_id = evaluations.rounds_of(session, run_id)[0]
        found = verdicts.verdicts_of(session, evaluation_id)
    return {(one.key.removeprefix("capability:"), one.repeat): one for one in found}


def test_what_the_policy_answers_is_scored_and_only_what_failed_is_asked_again(
    engine: Engine, tmp_path: Path
) -> None:
    is_too_long = True

    def script(body: object) -> str:
        question = question_of(body)
        if "Ana has 3" in question and is_too_long:
            raise Fault(400, "this exceeds the context length")
        if "Ana has 1" in question:
            return "ANSWER: 7"
        if "Ana has" in question:
            return f"ANSWER: {2 + int(question.split('Ana has ')[1][0])}"
        if "Which is" in question:
            return f"ANSWER: {letter_of('right one', question) if 'Which is 1' in question else 'E'}"
        return f"ANSWER: {letter_of('green', question)}"

    with serving(script) as server:
        settings = _settings(tmp_path, policy_urls={"pocket": server.url})
        run_id = _launched(settings, engine, _spec("gsm8k", "mmlu_0_shot", "gpqa_diamond", shard_size=6))
        first = _measured(settings, engine, run_id)
        is_too_long, asked = False, len(server.asked)
        with transaction(engine) as session:
            assert launching.ask_failed_again(session, run_id, 0, Catalogue(settings).check_unchanged) == (
                run_id,
                1,
            )
        again = _measured(settings, engine, run_id)
        assert len(server.asked) == asked + 1
    said = {name: str(one.outcome) for name, one in first.items()}
    assert said == {
        ("gsm8k:0", 0): "correct",
        ("gsm8k:1", 0): "wrong",
        ("gsm8k:2", 0): "correct",
        ("gsm8k:3", 0): "gen_error",
        **{(f"mmlu_0_shot:{n}", 0): "correct" if n == 1 else "wrong" for n in range(3)},
        **{(f"gpqa_diamond:{n}", r): "correct" if n == 1 else "wrong" for n in range(3) for r in range(4)},
    }
    assert first["gsm8k:3", 0].detail["cause"] == "context_length"
    right = first["gsm8k:0", 0].detail
    assert (right["harness"], right["task_version"]) == ("inspect_evals 0.26.0, inspect_ai 0.3.285", "2-A")
    assert (right["text"], right["answer"], right["target"]) == ("ANSWER: 2", "2", "2")
    assert all(rescore(one, "robust") == one for one in first.values())
    rates = measures(tuple(first.values()))
    assert (rates["capability/gsm8k"].value, rates["capability/gsm8k"].n) == (pytest.approx(2 / 3), 3)
    assert (rates["capability"].value, rates["capability"].n) == (pytest.approx(4 / 9), 9)
    # The one that failed is correct now; nothing else was asked, and nothing doubled.
    assert str(again["gsm8k:3", 0].outcome) == "correct"
    assert {name: one for name, one in again.items() if name != ("gsm8k:3", 0)} == {
        name: one for name, one in first.items() if name != ("gsm8k:3", 0)
    }
    seeds = [body["seed"] for body in server.asked if "Which is 0" in question_of(body)]
    assert len(set(seeds)) == len(seeds) == 4


def test_the_policy_in_this_process_is_measured_too(engine: Engine, tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    run_id = _launched(settings, engine, _spec("gsm8k"))
    found = _measured(settings, engine, run_id)
    assert len(found) == 4
    assert {str(one.outcome) for one in found.values()} <= {"correct", "wrong"}
    assert all(one.detail["completion_tokens"] for one in found.values())


def test_a_task_that_cannot_run_is_failed_verdicts_and_an_incomplete_measurement(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker was there at launch and is gone now: no program of the policy's runs, and the other task does."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setattr("services.app.catalogue.check_sandbox", lambda _: None)
    program = {"task_id": "T/0", "prompt": "def one():\n", "canonical_solution": "    return 1\n"}
    row = {**program, "test": "def check(one):\n    assert one() == 1\n", "entry_point": "one"}
    settings = _settings(tmp_path)
    write_lines(tmp_path / "benchmarks/harness/humaneval.jsonl", [row])
    run_id = _launched(settings, engine, _spec("humaneval", "gsm8k"))
    found = _measured(settings, engine, run_id)
    failed = found.pop(("humaneval:0", 0))
    assert (str(failed.outcome), failed.detail["cause"]) == ("judge_error", "harness_failed")
    assert "Docker" in failed.detail["error"]
    assert len(found) == 4
    assert not any(one.is_error for one in found.values())
    with transaction(engine) as session:
        whole = measurement(session, evaluations.rounds_of(session, run_id)[0])
    assert (whole.is_complete, [str(one) for one in whole.incomplete]) == (True, ["capability"])


def _of_gsm8k(folder: Path, script: Script, may_begin: Callable[[], bool] = lambda: True) -> list[Verdict]:
    """Measure the four rows of GSM8K without a database."""
    asking = examination(script, harness={"tasks": ["gsm8k"], "rows": "data"}, benchmarks=["capability"])
    items = catalogue(write_rows(folder), asking.spec).items
    found: list[Verdict] = []

    def take(judged: Sequence[Verdict]) -> None:
        found.extend(judged)

    harness = Harness(inspect_python(), folder / "logs")
    asyncio.run(harness.measure(Samples(items, items, "shard", 1), asking, take, may_begin))
    assert not harnesses()
    return found


def test_a_harness_that_was_killed_is_started_again_for_what_it_left(tmp_path: Path) -> None:
    asked: list[str] = []

    def script(request: object) -> str:
        asked.append("")
        if len(asked) == 3:
            for process in harnesses():
                process.kill()
        return "ANSWER: 2"

    found = _of_gsm8k(tmp_path, script)
    assert sorted((one.item, str(one.outcome)) for one in found) == [
        ("0", "correct"),
        ("1", "wrong"),
        ("2", "wrong"),
        ("3", "wrong"),
    ]
    assert len(asked) <= 4 + 2  # not all four again


def test_a_harness_that_always_dies_is_a_failure_with_its_cause(tmp_path: Path) -> None:
    def script(request: object) -> str:
        for process in harnesses():
            process.kill()
        return "ANSWER: 2"

    found = _of_gsm8k(tmp_path, script)
    assert [(one.item, str(one.outcome), one.detail["cause"]) for one in found] == [
        (str(n), "judge_error", "harness_died") for n in range(4)
    ]
    assert "status -9" in found[0].detail["error"]


def test_an_empty_purse_ends_the_harness_and_leaves_the_rest_out(tmp_path: Path) -> None:
    left = [True, True, False]
    found = _of_gsm8k(tmp_path, lambda _: "ANSWER: 2", lambda: left.pop(0) if left else False)
    assert 1 <= len(found) <= 2
    assert not any(one.is_error for one in found)


def test_a_harness_whose_worker_is_gone_ends_in_the_middle_of_a_question(tmp_path: Path) -> None:
    """Whatever kills a worker closes the pipe that it holds."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        job = {
            "url": f"http://127.0.0.1:{silent.getsockname()[1]}/v1",
            "model": "run-1-r0",
            "max_tokens": 9,
            "in_flight": 1,
            "logs": str(tmp_path),
            "parts": [{"task": "gsm8k", "places": [0], "rows": [{"question": "1 + 1?", "answer": "#### 2"}]}],
        }
        command = [inspect_python(), PROJECT / "services/evaluator/harness/child.py"]
        with (
            (tmp_path / "log").open("wb") as log,
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log) as child,
        ):
            assert child.stdin is not None
            child.stdin.write(json.dumps(job).encode() + b"\n")
            child.stdin.flush()
            silent.settimeout(120)
            try:
                with silent.accept()[0]:
                    assert child.poll() is None
                    child.stdin.close()
                    child.wait(timeout=60)
            finally:
                child.kill()
