"""Runs over REST: listed page by page, got by id."""

import base64
import json

import pytest

from services.core.db import phases, sweeps
from services.core.db.session import transaction
from services.core.domain.phases import PhaseName
from tests.core.db.builders import a_run, close_next
from tests.core.db.facts import a_verdict, measure
from tests.simulator.api.service import Api
from tests.simulator.pages.browsing import visit


def test_pages_show_every_run_once_newest_first(api: Api) -> None:
    made = [a_run(api.engine, seed=seed) for seed in range(5)]
    seen: list[str] = []
    query = {"limit": "2"}
    while True:
        page = api.client.get("/v1/runs", params=query).json()
        seen += [run["id"] for run in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == made[::-1]


def test_a_run_says_wherever_it_is_told_whether_a_worker_has_it_in_hand(api: Api) -> None:
    mine, other = (a_run(api.engine, seed=seed) for seed in (1, 2))
    with transaction(api.engine) as session:
        sweeps.insert_sweep(session, "sweep-1", "seeds", [(mine, {"seed": 1}), (other, {"seed": 2})])
        held = phases.claim_next(session, list(PhaseName), "w", 60)
        assert held is not None

    def told() -> list[list[tuple[str, bool]]]:
        got = [api.client.get(f"/v1/runs/{run_id}").json() for run_id in (mine, other)]
        listed = api.client.get("/v1/runs").json()["items"][::-1]
        arms = [arm["run"] for arm in api.client.get("/v1/sweeps/sweep-1").json()["arms"]]
        return [[(run["status"], run["is_worked"]) for run in runs] for runs in (got, listed, arms)]

    assert told() == [[("running", True), ("running", False)]] * 3
    with transaction(api.engine) as session:
        phases.hand_back(session, held, "stopped")
    assert told() == [[("running", False), ("running", False)]] * 3


def forged(key: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        *("?", "é", "AAAA", forged({}), forged(3), forged(["2026-01-01T00:00:00+00:00"])),
        *(forged(["soon", "x"]), forged(["2026-01-01", "x"]), forged(["2026-01-01T00:00:00+00:00", "\0"])),
    ],
)
def test_a_cursor_that_no_list_gave_is_refused(api: Api, cursor: str) -> None:
    answer = api.client.get("/v1/runs", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("cursor: is none that this list gave")


def test_a_run_is_had_by_its_id_or_a_beginning_of_it(api: Api) -> None:
    run_id = a_run(api.engine)
    for name in (run_id, run_id[:4]):
        assert api.client.get(f"/v1/runs/{name}").json()["id"] == run_id


@pytest.mark.parametrize("name", ["nosuch", "%25", "_", "%5C", "%25%25%25%25"])
def test_what_is_no_beginning_of_an_id_finds_nothing(api: Api, name: str) -> None:
    a_run(api.engine)
    answer = api.client.get(f"/v1/runs/{name}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:driftloop:not_found")


def test_a_round_says_what_the_early_warning_found(api: Api) -> None:
    run_id = a_run(api.engine, 40, warning={"action": "stop"}, rounds=2)
    for round_, told in enumerate((2, 20)):
        measure(
            api.engine,
            run_id,
            round_,
            [a_verdict(f"i{i}", "lie" if i < told else "honest") for i in range(40)],
        )
    while close_next(api.engine):
        pass
    assert api.client.get(f"/v1/runs/{run_id}").json()["status"] == "stopped"
    _, first, *_ = api.client.get(f"/v1/runs/{run_id}/rounds").json()["items"]
    assert first["alert"]["change"]["difference"] == pytest.approx(-18 / 40)
    assert (first["alert"]["action"], first["alert"]["measure"]) == ("stop", "one_minus_lie")
    page = visit(api, f"/runs/{run_id}").text
    assert "Early warning after round 1" in page
    assert "stopped by its warning" in page
