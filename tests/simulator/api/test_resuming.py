"""Going on over REST with a larger budget: what it takes, what it changes, and what is refused by the field's name."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.core.db.builders import run_out
from tests.simulator.api.service import SPEC, Api, open_api

SMALL = {"budget": {"tokens": 100, "hours": 2.0}}


def resume(api: Api, run_id: str, body: object) -> tuple[int, Any]:
    answer = api.client.post(f"/v1/runs/{run_id}/resume", json=body)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()


def test_a_run_that_is_out_of_budget_goes_on_with_a_larger_one(api: Api) -> None:
    run_id = run_out(api.engine, 120, **SMALL)
    assert api.client.get(f"/v1/runs/{run_id}").json()["status"] == "out_of_budget"
    status, run = resume(api, run_id, {"budget": {"tokens": 5000}})
    assert (status, run["status"], run["spent"]["tokens"]) == (200, "running", 120)
    # The other limits stay, and the spec, which is the run's identity, stays as it was launched.
    assert run["budget"] == {"tokens": 5000, "usd": None, "hours": 2.0}
    assert run["spec"]["budget"]["tokens"] == 100
    assert api.rung == [run_id]
    assert api.client.get(f"/v1/runs/{run_id}").json()["budget"] == run["budget"]


@pytest.mark.parametrize(
    "body", [None, {}, {"budget": {}}, {"budget": {"hours": 9}}, {"budget": {"tokens": 120}}]
)
def test_without_more_of_what_ran_out_it_stays_where_it_is(api: Api, body: object) -> None:
    run_id = run_out(api.engine, 120, **SMALL)
    status, problem = resume(api, run_id, body)
    assert (status, problem["type"]) == (409, "urn:driftloop:state_conflict")
    assert "budget.tokens: 120 of 1" in problem["detail"]
    assert f"`driftloop resume {run_id} --budget-tokens N`" in problem["detail"]
    run = api.client.get(f"/v1/runs/{run_id}").json()
    assert (run["status"], run["budget"]["tokens"], run["budget"]["hours"]) == ("out_of_budget", 100, 2.0)
    assert api.rung == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"budget": {"tokens": 0}}, "budget.tokens: 0 does not fit; use a whole number from 1 to "),
        ({"budget": {"tokens": 1.5}}, "budget.tokens: 1.5 does not fit; use a whole number from 1 to "),
        ({"budget": {"tokens": "many"}}, "budget.tokens: 'many' does not fit; "),
        ({"budget": {"tokens": True}}, "budget.tokens: True does not fit; "),
        ({"budget": {"tokens": [5000]}}, "budget.tokens: "),
        ({"budget": {"tokens": 10**16}}, "budget.tokens: 10000000000000000 does not fit; "),
        ({"budget": {"usd": 0}}, "budget.usd: 0 does not fit; use a number above 0 up to "),
        ({"budget": {"hours": -1}}, "budget.hours: -1 does not fit; use a number above 0 up to "),
        ({"budget": {"euro": 5}}, "budget.euro: unknown key; the keys here are tokens, usd, hours"),
        ({"budget": 5000}, "budget: 5000 stands where a mapping belongs; "),
        ({"budget": None}, "budget: "),
        ({"tokens": 5000}, "tokens: unknown key; tokens belongs at budget.tokens"),
        ([5000], "body: "),
    ],
)
def test_a_bad_body_is_one_line_that_names_the_field(api: Api, body: object, complaint: str) -> None:
    run_id = run_out(api.engine, 120, **SMALL)
    status, problem = resume(api, run_id, body)
    assert status == 422
    field, said = complaint.split(": ", 1)
    (error,) = problem["errors"]
    assert (error["field"], error["detail"][: len(said)]) == (field, said)
    assert field in problem["detail"]
    assert "\n" not in problem["detail"]
    assert api.client.get(f"/v1/runs/{run_id}").json()["status"] == "out_of_budget"


def test_a_budget_in_money_is_refused_where_a_price_is_not_known(engine: Engine, tmp_path: Path) -> None:
    hosted = {"unpriced": {"model": "m", "url": "http://127.0.0.1:1"}}
    api = open_api(engine, tmp_path, "open", endpoints=hosted)
    run_id = api.client.post("/v1/runs", json=SPEC | {"conversation": {"user_model": "unpriced"}}).json()[
        "run"
    ]["id"]
    status, problem = resume(api, run_id, {"budget": {"usd": 5}})
    assert (status, problem["errors"][0]["field"]) == (422, "budget.usd")
    assert "the price of conversation.user_model 'unpriced' is not known" in problem["detail"]
    status, run = resume(api, run_id, {"budget": {"tokens": 5}})
    assert (status, run["budget"]["tokens"]) == (200, 5)
