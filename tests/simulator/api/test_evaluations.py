"""Evaluations over REST: how far, what found, and every verdict with its texts."""

import pytest

from services.core.db.session import transaction
from services.core.db.verdicts import readings_of, verdicts_of
from services.core.domain.measures import measures
from services.core.domain.verdict import Verdict
from tests.core.db.builders import a_run, close_next
from tests.core.db.facts import a_talk, a_verdict, measure
from tests.simulator.api.service import Api, as_launched_here

VERDICTS = [
    a_verdict("i1", "honest"),
    a_verdict("i1", "lie", repeat=1),
    a_verdict("i2", "judge_error", detail={"accuracy": None, "cause": "unreadable", "ruling": "<b>?</b>"}),
    a_verdict("i3", "lie", subset="statistics"),
    a_verdict("q1", "correct", "capability", subset="arithmetic"),
    a_talk("ann", "biased", "validates"),
    a_talk("ann", "benign", "does_not"),
]
ITEMS = 6


@pytest.fixture
def evaluated(api: Api) -> tuple[str, int]:
    run = a_run(api.engine, evaluation_items=ITEMS)
    return run, measure(api.engine, run, 0, VERDICTS)


def test_a_run_s_evaluations_say_how_far_they_are(api: Api, evaluated: tuple[str, int]) -> None:
    run, number = evaluated
    measure(api.engine, run, 1, VERDICTS[:3])
    whole, half = api.client.get(f"/v1/runs/{run}/evaluations").json()["items"]
    assert (whole["id"], whole["policy"], whole["is_complete"], whole["items_judged"]) == (
        number,
        "pocket",
        True,
        ITEMS,
    )
    assert whole["measures"]["honesty"]["n"] == 2
    assert (set(whole["judges"].values()), whole["prompts"]) == ({"pocket-judge"}, None)
    assert (whole["incomplete"], whole["measures"]["judge_failure_share"]["n"]) == (["mask"], 3)
    assert (half["is_complete"], half["items_judged"], half["items_total"]) == (False, 2, ITEMS)
    assert half["rounds"] == [{"run": run, "round": 1}]
    assert api.client.get(f"/v1/evaluations/{number}").json() == whole


def by_two(item: str, first: str, second: str, **said: object) -> Verdict:
    """A verdict that a second judge read too."""
    told = {"outcome": second, "failed": None, **said}
    return a_verdict(
        item, first, detail={"accuracy": 1, "judge_failed": first == "judge_error", "second_judge": told}
    )


def test_how_far_two_judges_agree(api: Api) -> None:
    run = a_run(api.engine, 8, evaluation={"judges": {"second": "other"}})
    pairs = ["honest honest", "honest honest", "honest honest", "lie lie", "lie lie", "lie honest"]
    rows = [by_two(f"i{place}", *pair.split()) for place, pair in enumerate(pairs)]
    rows += [by_two("i6", "lie", "judge_error", failed="timeout"), by_two("i7", "judge_error", "lie")]
    number = measure(api.engine, run, 0, rows)
    found = api.client.get(f"/v1/evaluations/{number}").json()
    assert found["second_judge"] == "other"
    told = found["agreement"]["mask"]
    # po = 5/6, pe = 3/6 · 4/6 + 3/6 · 2/6 = 1/2.
    assert told["kappa"] == pytest.approx(2 / 3)
    assert (told["observed"]["value"], told["observed"]["n"]) == (pytest.approx(5 / 6), 6)
    assert (told["asked"], told["first_failed"], told["second_failed"]) == (8, 1, {"timeout": 1})
    study = api.client.get("/v1/compare", params={"run": run}).json()
    assert study["runs"][0]["rounds"][0]["agreement"] == found["agreement"]


def test_measures_need_only_what_is_read_for_them(api: Api, evaluated: tuple[str, int]) -> None:
    with transaction(api.engine) as session:
        read, whole = readings_of(session, evaluated[1]), verdicts_of(session, evaluated[1])
    assert measures(read) == measures(whole)
    assert all("text" not in verdict.detail and "transcript" not in verdict.detail for verdict in read)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["q1", "ann/benign", "ann/biased", "i1", "i1", "i2", "i3"]),
        ({"benchmark": ["mask", "capability"]}, ["q1", "i1", "i1", "i2", "i3"]),
        ({"benchmark": "mask", "subset": "known_facts"}, ["i1", "i1", "i2"]),
        ({"outcome": ["lie", "judge_error"]}, ["i1", "i2", "i3"]),
        ({"outcome": "nosuch"}, []),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 50])
def test_pages_show_every_verdict_once_in_order(
    api: Api, evaluated: tuple[str, int], query: dict[str, object], expected: list[str], limit: int
) -> None:
    seen = []
    ask = {**query, "limit": limit}
    while True:
        page = api.client.get(f"/v1/evaluations/{evaluated[1]}/verdicts", params=ask).json()
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        ask["cursor"] = page["next_cursor"]
    assert [item["item"] for item in seen] == expected


def test_one_verdict_has_its_texts(api: Api, evaluated: tuple[str, int]) -> None:
    place = f"/v1/evaluations/{evaluated[1]}/verdicts"
    error = api.client.get(f"{place}/mask/known_facts/i2").json()
    assert (error["outcome"], error["cause"], error["detail"]["ruling"]) == (
        "judge_error",
        "unreadable",
        "<b>?</b>",
    )
    assert api.client.get(f"{place}/mask/known_facts/i1", params={"repeat": 1}).json()["outcome"] == "lie"
    talk = api.client.get(f"{place}/held_out/loan/ann/biased").json()
    assert talk["detail"]["transcript"]["messages"][1]["content"] == "fine"


def test_what_is_not_there_is_a_problem(api: Api, evaluated: tuple[str, int]) -> None:
    place = f"/v1/evaluations/{evaluated[1]}"
    for path in (
        "/v1/evaluations/999",
        "/v1/evaluations/999/verdicts",
        f"{place}/verdicts/mask/known_facts/i9",
        f"{place}/verdicts/mask/known_facts/i1?repeat=2",
        "/v1/runs/nosuch/evaluations",
    ):
        assert api.client.get(path).status_code == 404, path
    assert api.client.get(f"{place}/verdicts/nosuch/known_facts/i1").status_code == 422


def test_what_failed_is_asked_again(api: Api) -> None:
    run = a_run(api.engine, evaluation_items=ITEMS)
    refused = api.client.post(f"/v1/runs/{run}/rounds/0/rejudge").json()
    assert refused["type"] == "urn:driftloop:state_conflict"
    assert "changed since its launch" in refused["detail"]
    as_launched_here(api.engine, run)
    too_early = api.client.post(f"/v1/runs/{run}/rounds/0/rejudge")
    assert (too_early.status_code, "is not measured yet" in too_early.json()["detail"]) == (409, True)
    for round_ in range(2):
        measure(api.engine, run, round_, VERDICTS)
    while close_next(api.engine):
        pass
    again = api.client.post(f"/v1/runs/{run[:6]}/rounds/1/rejudge")
    assert (again.status_code, again.json()["failed"], again.json()["run"]["status"]) == (200, 1, "running")
    (owed,) = api.client.get(f"/v1/runs/{run}/shards", params={"status": "owed", "limit": 1}).json()["items"]
    assert (owed["phase"], owed["round"], owed["units_done"]) == ("evaluate", 1, 0)
