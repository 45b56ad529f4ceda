"""Launching by the form: presets, plans, what is wrong beside what was typed, and only from our own page."""

import re

import pytest

from services.core.db import budgets
from services.core.db.session import transaction
from services.core.domain.access import Scope
from tests.core.db.builders import a_run
from tests.simulator.api.service import Api
from tests.simulator.pages.browsing import let_in, send, visit
from tests.simulator.pages.test_run import text_of

SPEC = """
name: small
rounds: 1
population: {biased_share: 0.5, conversations: 10}
training: {method: sft}
evaluation: {benchmarks: [capability]}
"""
SWEEP = SPEC + "sweep: {seed: [1, 2]}\n"


def runs_of(api: Api) -> list[dict[str, object]]:
    found: list[dict[str, object]] = api.client.get("/v1/runs").json()["items"]
    return found


def test_the_form_starts_from_a_preset(api: Api) -> None:
    assert "name: demo" in visit(api, "/launch").text
    page = visit(api, "/launch?preset=pocket-kto").text
    assert "method: kto" in page
    assert "KTO in the pocket world" in page
    assert "name: loop-llama-kto" in visit(api, "/launch?preset=paper/loop-llama-kto").text
    assert visit(api, "/launch?preset=nosuch").status_code == 404


def test_the_form_explains_every_field(api: Api) -> None:
    page = text_of(visit(api, "/launch").text)
    assert "population.biased_share required" in page
    assert "training.lora.rank 32 Rank of the update of each matrix." in page


def test_a_spec_becomes_a_run_that_workers_are_woken_for(api: Api) -> None:
    answer = send(api, "/launch", {"spec": SPEC})
    (run,) = runs_of(api)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run['id']}")
    assert (run["name"], api.rung) == ("small", [run["id"]])


def test_a_sweep_leads_to_where_its_runs_are_compared(api: Api) -> None:
    answer = send(api, "/launch", {"spec": SWEEP})
    assert answer.headers["location"].startswith("/compare?sweep=sweep-")
    assert len(runs_of(api)) == 2
    assert visit(api, answer.headers["location"]).status_code == 200


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (SPEC.replace("0.5", "1.5"), "population.biased_share: 1.5 is more than 1; use a number from 0 to 1"),
        (SPEC + "sead: 3", "sead: unknown key; did you mean seed?"),
        (SPEC + "policy: nosuch", "policy:"),
        ("name: [", "line 1"),
        ("", "is empty"),
        (SPEC + "a: &x [1]\nb: *x", "line 8: *x repeats another part; write it out"),
        ("<script>alert(1)</script>", "stands where a mapping belongs"),
        ("name: 'a\0b'", "control characters"),
    ],
)
def test_what_is_wrong_is_said_beside_what_was_typed(api: Api, spec: str, complaint: str) -> None:
    answer = send(api, "/launch", {"spec": spec})
    assert answer.status_code == 422
    assert complaint in text_of(answer.text)
    assert "<script>alert" not in answer.text
    if "biased_share" in spec:
        assert "biased_share" in answer.text.split("<textarea")[1]
    assert runs_of(api) == []


def test_a_plan_starts_nothing(api: Api) -> None:
    page = text_of(send(api, "/launch", {"spec": SWEEP, "plan": "true"}).text)
    assert "2 runs , 2 rounds of training, 20 conversations, up to 240 benchmark items." in page
    assert "seed 1: is new" in page
    assert re.search(
        r"About [\d,]+ tokens, 0\.00 US dollars, and [\d.]+ (s|min) one run after the other", page
    )
    assert (runs_of(api), api.rung) == ([], [])


def test_a_plan_says_which_run_is_out_of_budget(api: Api) -> None:
    spec = SPEC + "budget: {tokens: 100}\n"
    send(api, "/launch", {"spec": spec})
    with transaction(api.engine) as session:
        budgets.pay(session, str(runs_of(api)[0]["id"]), 120, None)
    page = text_of(send(api, "/launch", {"spec": spec, "plan": "true"}).text)
    assert "small: is out of budget and stays where it is; write a larger budget to go on" in page


def test_a_variant_begins_as_the_run_that_it_varies(api: Api) -> None:
    run_id = a_run(api.engine, seed=77)
    page = visit(api, f"/launch?run={run_id}").text
    assert f"# The spec of run {run_id}." in page
    assert "seed: 77" in page
    assert "max_length" not in page.split("<textarea")[1].split("</textarea>")[0]


def test_only_who_may_launch_launches(guarded: Api) -> None:
    let_in(guarded, Scope.READ)
    assert visit(guarded, "/launch").status_code == 403
    assert send(guarded, "/launch", {"spec": SPEC}).status_code == 403
    let_in(guarded, Scope.LAUNCH)
    assert send(guarded, "/launch", {"spec": SPEC}, "https://evil.example").status_code == 403
    assert runs_of(guarded) == []
    assert send(guarded, "/launch", {"spec": SPEC}).status_code == 303
