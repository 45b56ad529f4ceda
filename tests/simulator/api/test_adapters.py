"""Adapters and policies over REST: lineage and hashes, and no place on the server."""

from services.core.db.session import transaction
from tests.core.db.builders import a_run
from tests.core.db.facts import publish
from tests.simulator.api.service import Api


def trained(api: Api, rounds: int, **changes: object) -> str:
    run = a_run(api.engine, **changes)
    with transaction(api.engine) as session:
        for round_ in range(rounds + 1):
            publish(session, run, round_)
    return run


def test_an_adapter_leads_back_to_the_first(api: Api) -> None:
    run = trained(api, 3)
    found = api.client.get(f"/v1/adapters/run-{run}-r3").json()
    assert [one["key"] for one in found["lineage"]] == [f"run-{run}-r2", f"run-{run}-r1"]
    assert (found["parent"], found["sha256"], found["data_hash"]) == (f"run-{run}-r2", "a" * 64, "d" * 64)
    assert found["hyperparameters"] == {"method": "sft"}
    assert (found["examples"], found["examples_cut"], found["examples_dropped"]) == (80, 3, 2)
    first = api.client.get(f"/v1/adapters/run-{run}-r1").json()
    assert (first["parent"], first["lineage"]) == (None, [])


def test_a_run_s_adapters_are_listed_by_round_without_their_place(api: Api) -> None:
    run = trained(api, 2)
    answer = api.client.get(f"/v1/runs/{run}/adapters")
    assert [item["round"] for item in answer.json()["items"]] == [1, 2]
    assert "/nowhere" not in answer.text + api.client.get(f"/v1/adapters/run-{run}-r2").text


def test_policies_are_listed_by_name_page_by_page(api: Api) -> None:
    one, two = trained(api, 2), trained(api, 1, seed=2)
    page = api.client.get("/v1/policies", params={"limit": 3}).json()
    rest = api.client.get("/v1/policies", params={"cursor": page["next_cursor"]}).json()
    names = [item["name"] for item in page["items"] + rest["items"]]
    assert names == sorted(["pocket", f"run-{one}-r1", f"run-{one}-r2", f"run-{two}-r1"])
    assert rest["next_cursor"] is None
    mine = api.client.get("/v1/policies", params={"run": two[:6]}).json()["items"]
    assert [(item["name"], item["adapter"]) for item in mine] == [(f"run-{two}-r1", f"run-{two}-r1")]


def test_what_is_not_there_is_a_problem(api: Api) -> None:
    for path in ("adapters/nosuch", "runs/nosuch/adapters", "policies?run=nosuch"):
        assert api.client.get(f"/v1/{path}").status_code == 404
