"""Launching over REST: once per spec, once per key, and rung for only when it is committed."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from services.core.db import budgets
from services.core.db.session import transaction
from services.core.db.tables import IdempotentRequest, Run, Sweep
from services.core.domain.phases import RunStatus
from tests.simulator.api.service import SPEC, Api

SWEEP = SPEC | {"sweep": {"population.biased_share": [0, 1], "seed": [1, 2]}}


def count(engine: Engine, table: type) -> int:
    with transaction(engine) as session:
        return session.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_new_run_is_created_and_rung_for(api: Api) -> None:
    answer = api.client.post("/v1/runs", json=SPEC)
    made = answer.json()
    assert (answer.status_code, made["outcome"], made["run"]["status"]) == (201, "created", "running")
    assert made["run"]["spec"]["evaluation"]["judge"] == "pocket-judge"
    assert made["run"]["current"]["name"] == "evaluate"
    assert api.rung == [made["run"]["id"]]
    assert api.client.get(f"/v1/runs/{made['run']['id']}").json() == made["run"]


def test_the_same_spec_again_is_the_same_run(api: Api) -> None:
    first = api.client.post("/v1/runs", json=SPEC).json()["run"]
    again = api.client.post("/v1/runs", json=SPEC | {"name": "another-name"})
    assert (again.status_code, again.json()["outcome"]) == (200, "resumed")
    assert again.json()["run"]["id"] == first["id"]
    with api.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET status = 'succeeded', finished_at = now()"))
    finished = api.client.post("/v1/runs", json=SPEC)
    assert (finished.status_code, finished.json()["outcome"]) == (200, "finished")
    repeated = api.client.post("/v1/runs", params={"new": True}, json=SPEC)
    assert (repeated.status_code, repeated.json()["run"]["repetition"]) == (201, 2)


def test_the_bell_is_not_rung_for_what_is_refused(api: Api) -> None:
    assert api.client.post("/v1/runs", json=SPEC | {"rounds": 0}).status_code == 422
    assert (api.rung, count(api.engine, Run)) == ([], 0)


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"colour": "red"}, "colour", "unknown key; the keys here are name, seed, policy,"),
    ({"rounds": 0}, "rounds", "0 is less than 1; use a whole number from 1 to 100"),
    ({"policy": "gpt"}, "policy", "'gpt' is not registered here; use one of: pocket"),
    ({"sweep": {"seed": [1]}}, "sweep", "makes several runs of a spec; POST /v1/sweeps launches them"),
    ({"name": "a\0b"}, "name", "holds a control character or half of a character; remove it"),
    ({"name": "\ud800"}, "name", "holds a control character or half of a character; remove it"),
    ({"\0": 1}, "body", "holds a control character or half of a character; remove it"),
    ({"seed": 10**30}, "seed", "is too large a number; use a smaller one"),
    ({"seed": 2**40}, "seed", "1099511627776 is more than 2,147,483,648"),
    (
        {"training": {"method": "kto", "kto": {"beta": float("inf")}}},
        "training.kto.beta",
        "is no finite number",
    ),
]


@pytest.mark.parametrize(("changes", "field", "complaint"), BAD)
def test_a_bad_spec_is_one_line_that_names_the_field(
    api: Api, changes: dict[str, Any], field: str, complaint: str
) -> None:
    body = json.dumps(SPEC | changes)
    answer = api.client.post("/v1/runs", content=body, headers={"Content-Type": "application/json"})
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "urn:driftloop:bad_spec")
    assert problem["detail"].startswith(f"{field}: {complaint}")
    assert "\n" not in problem["detail"]
    assert problem["errors"] == [{"field": field, "detail": problem["detail"].removeprefix(f"{field}: ")}]
    assert count(api.engine, Run) == 0


def test_a_sweep_is_its_grid_of_runs(api: Api) -> None:
    answer = api.client.post("/v1/sweeps", json=SWEEP)
    made = answer.json()
    assert answer.status_code == 201
    labels = [{"population.biased_share": share, "seed": seed} for share in (0, 1) for seed in (1, 2)]
    assert [arm["labels"] for arm in made["arms"]] == labels
    assert api.rung == [arm["run"]["id"] for arm in made["arms"]]
    again = api.client.post("/v1/sweeps", json=SWEEP)
    assert (again.status_code, again.json()["id"]) == (200, made["id"])
    shown = api.client.get(f"/v1/sweeps/{made['id']}").json()
    assert [arm["labels"] for arm in shown["arms"]] == labels
    (listed,) = api.client.get("/v1/sweeps").json()["items"]
    assert (listed["id"], listed["runs"]) == (made["id"], {"running": 4})


def test_a_sweep_needs_fields_to_sweep(api: Api) -> None:
    answer = api.client.post("/v1/sweeps", json=SPEC)
    assert (answer.status_code, count(api.engine, Sweep)) == (422, 0)
    assert answer.json()["detail"].startswith("sweep: is missing;")


def test_sweeps_are_listed_newest_first_page_by_page(api: Api) -> None:
    made = [
        api.client.post("/v1/sweeps", json=SPEC | {"sweep": {"seed": [seed]}}).json()["id"]
        for seed in range(3)
    ]
    first = api.client.get("/v1/sweeps", params={"limit": 2}).json()
    rest = api.client.get("/v1/sweeps", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [sweep["id"] for sweep in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None


def test_a_plan_starts_nothing(api: Api) -> None:
    known = api.client.post("/v1/runs", json=SPEC | {"seed": 2}).json()["run"]["id"]
    api.rung.clear()
    answer = api.client.post("/v1/plans", json=SPEC | {"sweep": {"seed": [1, 2]}})
    plan = answer.json()
    assert (answer.status_code, plan["rounds"], plan["conversations"]) == (200, 2, 20)
    assert [run["outcome"] for run in plan["runs"]] == ["created", "resumed"]
    assert plan["runs"][1]["id"] == known
    assert (api.rung, count(api.engine, Run)) == ([], 1)
    launched = api.client.post("/v1/runs", json=plan["runs"][0]["spec"]).json()
    assert launched["run"]["id"] == plan["runs"][0]["id"]


def test_a_plan_says_what_it_would_take(api: Api) -> None:
    evaluation = {"benchmarks": ["held_out"], "held_out_profiles": 3, "judge": "gpt-4o"}
    hosted = SPEC | {"evaluation": evaluation, "mitigations": {"veto": "gpt-4o-mini"}}
    plan = api.client.post("/v1/plans", json=hosted | {"budget": {"usd": 0.001}}).json()
    took = {(one["part"], one["role"], one["model"]): one for one in plan["estimate"]["calls"]}
    # Ten conversations of two replies; two policies meet three people twice.
    assert {key: one["calls"] for key, one in took.items()} == {
        ("conversations", "assistant", "pocket"): 20,
        ("conversations", "user", "pocket-user"): 10,
        ("conversations", "rating", "pocket-user"): 20,
        ("conversations", "veto", "gpt-4o-mini"): 20,
        ("held_out", "judge", "gpt-4o"): 24,
        ("held_out", "assistant", "pocket"): 24,
        ("held_out", "user", "pocket-user"): 12,
    }
    judge = took["held_out", "judge", "gpt-4o"]
    assert judge["usd"] == pytest.approx(judge["prompt_tokens"] * 2.5e-6 + judge["completion_tokens"] * 1e-5)
    assert plan["estimate"]["usd"] > judge["usd"]
    assert plan["warnings"][0].startswith("budget.usd: 0.001 is less than the estimate")


def test_a_clone_is_the_spec_with_changes(api: Api) -> None:
    run = api.client.post("/v1/runs", json=SPEC).json()["run"]
    changes = {"name": "kto", "training.method": "kto", "population": {"biased_share": 0.2}, "selection": {}}
    del changes["selection"]
    answer = api.client.post(f"/v1/runs/{run['id']}/clone", json=changes)
    assert answer.status_code == 201
    spec = answer.json()["run"]["spec"]
    assert (spec["name"], spec["training"]["method"], spec["population"]["biased_share"]) == (
        "kto",
        "kto",
        0.2,
    )
    assert spec["population"]["conversations"] == run["spec"]["population"]["conversations"]
    same = api.client.post(f"/v1/runs/{run['id']}/clone", json={})
    assert (same.status_code, same.json()["run"]["id"]) == (200, run["id"])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"training.metod": "kto"}, "training.metod: is no spec field; did you mean training.method?"),
        ({"seed": {"a": 1}}, "seed.a: is no spec field; did you mean seed?"),
        ({"training": {}}, "training: is no spec field; it is a section; name a field of it, such as"),
        (
            {"population.biased_share": 2},
            "population.biased_share: 2 is more than 1; use a number from 0 to 1",
        ),
    ],
)
def test_a_clone_s_bad_change_is_one_line(api: Api, changes: dict[str, Any], complaint: str) -> None:
    run_id = api.client.post("/v1/runs", json=SPEC).json()["run"]["id"]
    answer = api.client.post(f"/v1/runs/{run_id}/clone", json=changes)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(complaint)


def launch(api: Api, key: str, path: str = "/v1/runs", **changes: object) -> tuple[int, Any]:
    answer = api.client.post(path, json=SPEC | changes, headers={"Idempotency-Key": key})
    return answer.status_code, answer.json()


def test_the_same_request_with_the_same_key_is_answered_the_same(api: Api) -> None:
    first = launch(api, "k1")
    with api.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET status = 'succeeded', finished_at = now()"))
    assert launch(api, "k1") == first
    assert first[0] == 201
    assert launch(api, "k2")[0] == 200


def test_another_request_with_the_same_key_is_refused(api: Api) -> None:
    launch(api, "k")
    for status, problem in (
        launch(api, "k", seed=5),
        launch(api, "k", path="/v1/runs?new=true"),
    ):
        assert (status, problem["type"]) == (409, "urn:driftloop:state_conflict")
    assert count(api.engine, Run) == 1


def test_a_key_that_failed_may_be_used_for_the_mended_request(api: Api) -> None:
    assert launch(api, "k", rounds=0)[0] == 422
    assert launch(api, "k")[0] == 201


def test_a_key_is_forgotten_after_a_day(api: Api) -> None:
    launch(api, "k")
    with api.engine.begin() as connection:
        connection.execute(text("UPDATE idempotent_requests SET created_at = now() - interval '25 hours'"))
    assert launch(api, "k", seed=5)[0] == 201
    assert count(api.engine, IdempotentRequest) == 1


def test_two_at_the_same_time_with_one_key_make_one_run(api: Api) -> None:
    for trial in range(8):
        together = threading.Barrier(4)

        def at_once(_: int, trial: int = trial, together: threading.Barrier = together) -> tuple[int, Any]:
            together.wait()
            return launch(api, f"k{trial}", path="/v1/runs?new=true", seed=trial)

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(at_once, range(4)))
        assert answers[0][0] == 201
        assert answers == [answers[0]] * 4
        assert count(api.engine, Run) == trial + 1


def test_two_at_the_same_time_without_a_key_make_one_run_too(api: Api) -> None:
    for seed in range(8):
        together = threading.Barrier(4)

        def at_once(_: int, seed: int = seed, together: threading.Barrier = together) -> tuple[int, str]:
            together.wait()
            answer = api.client.post("/v1/runs", json=SPEC | {"seed": seed})
            return answer.status_code, answer.json()["run"]["id"]

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(at_once, range(4)))
        assert sorted(status for status, _ in answers) == [200, 200, 200, 201]
        assert len({run_id for _, run_id in answers}) == 1


def test_an_arm_out_of_budget_is_named_and_the_others_are_launched(api: Api) -> None:
    one = SPEC | {"budget": {"tokens": 100}}
    run_id = api.client.post("/v1/runs", json=one).json()["run"]["id"]
    with transaction(api.engine) as session:
        budgets.pay(session, run_id, 120, None)
        budgets.stop_used_up(session)
    both = one | {"sweep": {"seed": [1, 2]}}
    planned = api.client.post("/v1/plans", json=both).json()["runs"]
    answer = api.client.post("/v1/sweeps", json=both)
    arms = answer.json()["arms"]
    assert answer.status_code == 201
    assert [arm["outcome"] for arm in arms] == ["out_of_budget", "created"]
    assert [(run["id"], run["outcome"]) for run in planned] == [
        (arm["run"]["id"], arm["outcome"]) for arm in arms
    ]
    again = api.client.post("/v1/runs", json=one)
    assert (again.status_code, again.json()["outcome"]) == (200, "out_of_budget")
    assert "budget.tokens: 120 of 100" in again.json()["run"]["error"]
    more = api.client.post("/v1/runs", json=SPEC | {"budget": {"tokens": 1000}})
    assert (more.json()["outcome"], more.json()["run"]["status"]) == ("resumed", "running")


def test_cancel_and_resume(api: Api) -> None:
    run_id = api.client.post("/v1/runs", json=SPEC).json()["run"]["id"]
    api.rung.clear()
    for _ in range(2):
        cancelled = api.client.post(f"/v1/runs/{run_id}/cancel")
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    resumed = api.client.post(f"/v1/runs/{run_id}/resume")
    assert (resumed.status_code, resumed.json()["status"]) == (200, "running")
    assert api.rung == [run_id]
    with api.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET status = 'succeeded', finished_at = now()"))
    for action in ("cancel", "resume"):
        refused = api.client.post(f"/v1/runs/{run_id}/{action}")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:driftloop:state_conflict")


def test_a_run_is_deleted_when_it_is_not_running_and_named_in_full(api: Api) -> None:
    run_id = api.client.post("/v1/runs", json=SPEC).json()["run"]["id"]
    refused = api.client.delete(f"/v1/runs/{run_id}")
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        f"run {run_id} is running; cancel it first",
    )
    api.client.post(f"/v1/runs/{run_id}/cancel")
    assert api.client.delete(f"/v1/runs/{run_id[:5]}").status_code == 404
    assert api.client.delete(f"/v1/runs/{run_id}").status_code == 204
    assert api.client.get(f"/v1/runs/{run_id}").status_code == 404
    assert api.client.delete(f"/v1/runs/{run_id}").status_code == 404


def test_runs_are_filtered_by_status_and_name(api: Api) -> None:
    ids = {
        name: api.client.post("/v1/runs", json=SPEC | {"name": name, "seed": seed}).json()["run"]["id"]
        for seed, name in enumerate(("a", "b", "c"))
    }
    api.client.post(f"/v1/runs/{ids['b']}/cancel")

    def listed(**query: object) -> set[str]:
        return {run["name"] for run in api.client.get("/v1/runs", params=query).json()["items"]}

    assert listed() == {"a", "b", "c"}
    assert listed(status="cancelled") == {"b"}
    assert listed(status=["cancelled", RunStatus.RUNNING.value]) == {"a", "b", "c"}
    assert listed(name=["a", "b"], status="running") == {"a"}
    assert listed(name="d") == set()
