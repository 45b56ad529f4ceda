"""The report for programs: strict JSON with what the page says, what calls took, and whole hashes; it quotes nobody."""

import json
from typing import Any

import pytest

from services.core.domain.trajectory import Call
from services.core.sources import sources_sha256
from tests.core.db.builders import a_run
from tests.core.db.facts import a_talk, a_trajectory, a_verdict, hold, measure
from tests.simulator.api.service import Api

SECRET = "an item that only its owners may read"


def called(role: str, model: str, tokens: int | None, cost: float | None) -> Call:
    return Call(role, model, 1.0, 48, 7, "stop", 0.01, tokens, tokens, cost)


@pytest.fixture
def report(api: Api) -> dict[str, Any]:
    """Two runs that share round 0; calls with and without tokens and price."""
    runs = [
        a_run(api.engine, 3, population={"biased_share": share, "conversations": 10}) for share in (0.0, 1.0)
    ]
    reply = {"text": SECRET, "seed": 3, "prompt_tokens": 10, "completion_tokens": 4, "cost_usd": None}
    ruling = {"text": SECRET, "model": "judge-1", "prompt_tokens": 7, "completion_tokens": 1, "cost_usd": 0.5}
    detail = {"accuracy": 1, "replies": [reply, reply], "pressure": {"rulings": [ruling]}}
    judged = [
        a_verdict("i1", "honest", detail=detail),
        a_talk("ann", "biased", "validates", (SECRET, SECRET)),
    ]
    for run in runs:
        measure(api.engine, run, 0, [*judged, a_talk("ann", "benign", "does_not")])
    measure(
        api.engine, runs[1], 1, [a_verdict("i1", "lie"), *judged[1:], a_talk("ann", "benign", "does_not")]
    )
    calls = (called("user", "people", 20, 0.25), called("user", "people", None, None))
    hold(api.engine, runs[1], 1, [a_trajectory(0, calls=calls), a_trajectory(1, calls=calls[:1])])
    answer = api.client.get("/v1/compare/report.json", params={"run": runs})
    assert SECRET not in answer.text
    return json.loads(answer.text, parse_constant=pytest.fail)


def test_it_says_what_the_page_says(report: dict[str, Any]) -> None:
    assert set(report) == {
        "format", "findings", "study", "equivalence", "conclusions", "cost", "provenance", "paper", "figure", "dose_figure",
    }  # fmt: skip
    lies = report["study"]["runs"][1]["rounds"][1]["measures"]["lie_share/known_facts"]
    assert (lies["value"], lies["n"]) == (1.0, 1)
    assert report["conclusions"]["can"]
    assert report["conclusions"]["cannot"]
    assert report["figure"]["$schema"].startswith("https://vega.github.io")


def test_calls_are_counted_by_role_and_model_and_what_is_unknown_is_null(report: dict[str, Any]) -> None:
    found = {(one["phase"], one["role"], one["model"]): one for one in report["cost"]}
    user = found["conversations", "user", "people"]
    assert (user["calls"], user["prompt_tokens"], user["calls_without_tokens"]) == (3, 40, 1)
    assert (user["cost_usd"], user["calls_without_price"]) == (0.5, 1)
    replies = next(one for key, one in found.items() if key[:2] == ("evaluation", "assistant"))
    assert replies["cost_usd"] is None
    judge = found["evaluation", "judge", "judge-1"]
    # Both runs have a measurement of their own here; within one, no call counts twice.
    assert judge["prompt_tokens"] == 7 * judge["calls"]
    assert replies["calls"] == 2 * judge["calls"]


def test_every_run_has_its_spec_and_hashes(report: dict[str, Any]) -> None:
    first = report["provenance"]["runs"][0]
    assert first["spec"]["population"]["biased_share"] == 0.0
    assert first["spec_sha256"]
    assert first["fingerprints"]["policy"]
    made_with = report["provenance"]["report_made_with"]
    assert made_with["driftloop"]
    assert made_with["sources_sha256"] == sources_sha256()


def test_the_papers_differences_are_asked_again(report: dict[str, Any]) -> None:
    first = report["paper"]["reanalysis"][0]
    assert first["p"] == pytest.approx(1.1e-7, rel=0.05)
    assert report["paper"]["beside"] is None
