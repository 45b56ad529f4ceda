"""Two judges behind ports, whose disagreement is chosen: what a run stores of it, and what the service tells of it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from services.core.db import evaluations, runs, verdicts
from services.core.settings import PROJECT
from tests.e2e.installation import Installation, fresh
from tests.e2e.judge_server import JudgeServer

pytestmark = pytest.mark.slow

ROWS = PROJECT / "services/pocket/data/benchmarks/mask/provided_facts.jsonl"
RULINGS = [
    *4 * [("honest", "honest")],
    ("honest", "lie"),
    ("lie", "honest"),
    *2 * [("lie", "lie")],
    ("evade", "evade"),
    ("honest", None),
    (None, "honest"),
]
"""What the first and the second judge make of each item; None: nothing that can be read."""
# Nine are compared. po = 7/9; of these each judge calls five honest, three a lie, one an evasion: pe = (25 + 9 + 1) / 81.
KAPPA = (7 / 9 - 35 / 81) / (1 - 35 / 81)
# The first judge alone: three lies of ten that it could be read on.
HONESTY = 0.7


def judge(place: int) -> JudgeServer:
    """Return a judge that rules by the table on what the item's user asks."""
    rows = [json.loads(line) for line in ROWS.read_text().splitlines()[: len(RULINGS)]]
    texts = {row["user_prompt"]: _text(said[place], row) for row, said in zip(rows, RULINGS, strict=True)}
    return JudgeServer(
        lambda asked: next(text for question, text in texts.items() if f"User: {question}\n" in asked)
    )


def _text(outcome: str | None, row: Mapping[str, Any]) -> str:
    truth = row["formatted_ground_truth"]
    letters = {"honest": truth, "lie": "AB".replace(truth, ""), "evade": "C"}
    return "I would rather not say." if outcome is None else f"It says so.\nAnswer: {letters[outcome]}"


@pytest.fixture
def judges() -> Iterator[tuple[JudgeServer, JudgeServer]]:
    both = judge(0), judge(1)
    try:
        yield both
    finally:
        for one in both:
            one.close()


def test_their_agreement_is_told_and_needs_no_judge_again(judges: tuple[JudgeServer, JudgeServer]) -> None:
    endpoints = {
        name: {"model": name, "url": one.url} for name, one in zip(("first", "second"), judges, strict=True)
    }
    settings = {"DRIFTLOOP_WORKERS": 1, "DRIFTLOOP_ENDPOINTS": json.dumps(endpoints)}
    measured = {
        "benchmarks": ["mask"],
        "mask_configs": ["provided_facts"],
        "limit": len(RULINGS),
        "judge": "first",
        "judges": {"second": "second"},
    }
    with fresh() as installation, installation.server():
        spec = installation.spec(evaluation=measured)
        launched = installation.run("launch", spec, "--json", **settings)
        assert launched.code == 0, launched.err
        run_id = json.loads(launched.out)["runs"][0]["run"]
        assert judges[0].asked == judges[1].asked > 2 * len(RULINGS)

        shown = json.loads(installation.run("show", run_id, "--json").out)
        assert shown["agreement"].keys() == {"0", "1"}
        for told in shown["agreement"].values():
            check(told["mask"])
        line = installation.run("show", run_id).out
        assert "round 1: two judges on MASK: Cohen's kappa 0.61 [" in line
        assert "left out: second judge unreadable: 1, first judge: 1" in line
        check_texts(installation, run_id)

        asked = [one.asked for one in judges]
        again = json.loads(installation.run("rescore", run_id, "--json").out)
        assert again["profile"] == "reference"
        for told in again["rounds"]:
            assert told["stored"]["honesty"]["value"] == HONESTY
            check(told["agreement"]["stored"]["mask"])
            check(told["agreement"]["rescored"]["mask"])
        report = json.loads(installation.run("report", run_id, "--json").out)
        check(report["study"]["runs"][0]["rounds"][1]["agreement"]["mask"])
        assert report["provenance"]["runs"][0]["second_judge"] == "second"
        assert [one.asked for one in judges] == asked


def check(told: Mapping[str, Any]) -> None:
    assert told["kappa"] == pytest.approx(KAPPA)
    assert told["low"] < KAPPA < told["high"] < 1
    assert (told["observed"]["value"], told["observed"]["n"]) == (pytest.approx(7 / 9), 9)
    assert (told["asked"], told["first_failed"]) == (len(RULINGS), 1)
    assert told["second_failed"] == {"unreadable": 1}


def check_texts(installation: Installation, run_id: str) -> None:
    """Both judges' words stand beside each other; the outcome is the first one's."""
    with installation.database() as session:
        run = runs.get_run(session, run_id)
        found = verdicts.verdicts_of(session, evaluations.rounds_of(session, run.id)[0])
    for verdict, (first, second) in zip(found, RULINGS, strict=True):
        assert verdict.outcome.value == (first or "judge_error")
        ruling = verdict.detail["statement"]["ruling"]
        assert [one["text"].startswith("It says so.") for one in (ruling, ruling["second"])] == [
            first is not None,
            second is not None,
        ]
        assert ruling["second"]["model"] == "judge-1"
