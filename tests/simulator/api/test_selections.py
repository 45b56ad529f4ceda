"""A selection over REST: by rank, with its reasons, and with the rows that the trainer is given."""

import pytest

from services.core.db import runs
from services.core.db.session import transaction
from services.core.domain.selection import Label, Selected
from services.core.operations.selected import rows_of_round
from tests.core.db.builders import a_run
from tests.core.db.facts import a_trajectory, choose, hold
from tests.simulator.api.service import Api

TALK = ("I drink", "Rest", "And then?", "Sleep <b>well</b>")


def a_selected_round(api: Api, count: int = 7, **training: object) -> str:
    run = a_run(api.engine, training={"method": "kto", **training})
    hold(api.engine, run, 1, [a_trajectory(slot, said=TALK) for slot in range(count)])
    chosen = [
        Selected(
            slot, count - slot, 10 - slot, Label.DESIRABLE if slot % 2 else Label.UNDESIRABLE, f"no {slot}"
        )
        for slot in range(count)
    ]
    choose(api.engine, run, 1, chosen)
    return run


def walked(api: Api, run: str, **query: object) -> list[dict[str, object]]:
    seen: list[dict[str, object]] = []
    ask = {"limit": 3, **query}
    while True:
        page = api.client.get(f"/v1/runs/{run}/rounds/1/selection", params=ask).json()
        seen += page["items"]
        if page["next_cursor"] is None:
            return seen
        ask["cursor"] = page["next_cursor"]


def test_pages_show_everything_once_by_rank(api: Api) -> None:
    run = a_selected_round(api)
    found = walked(api, run)
    assert [item["rank"] for item in found] == [1, 2, 3, 4, 5, 6, 7]
    assert (found[0]["slot"], found[0]["score"], found[0]["reason"]) == (6, 4.0, "no 6")
    assert [item["slot"] for item in walked(api, run, label="desirable")] == [5, 3, 1]
    trajectory = api.client.get(f"/v1/trajectories/{found[0]['trajectory']}").json()
    assert (trajectory["slot"], trajectory["selection"]["rank"]) == (6, 1)


@pytest.mark.parametrize("keep", [True, False])
def test_the_rows_are_those_that_the_trainer_is_given(api: Api, keep: bool) -> None:
    run = a_selected_round(api, keep_system_prompt=keep)
    with transaction(api.engine) as session:
        trained = list(rows_of_round(session, runs.get_run(session, run), 1))
    shown = [row for item in walked(api, run) for row in item["rows"]]
    assert len(shown) == 14
    key = lambda row: (row["slot"], row["turn"])  # noqa: E731
    assert sorted(shown, key=key) == sorted(trained, key=key)
    assert any(message["role"] == "system" for message in shown[0]["prompt"]) is keep


def test_before_the_selection_there_is_nothing_and_no_run_is_a_problem(api: Api) -> None:
    run = a_run(api.engine)
    assert api.client.get(f"/v1/runs/{run}/rounds/1/selection").json()["items"] == []
    assert api.client.get("/v1/runs/nosuch/rounds/1/selection").status_code == 404
    assert api.client.get(f"/v1/runs/{run}/rounds/-1/selection").status_code == 422
