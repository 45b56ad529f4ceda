"""Trajectories over REST: every filter, every order, whole by id, and pages that miss and repeat nothing."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.core.db.session import transaction
from services.core.domain.selection import Label, Selected
from services.core.domain.trajectory import Call, TrajectoryStatus, UserKind
from tests.core.db.builders import a_run
from tests.core.db.facts import a_trajectory, choose, hold
from tests.simulator.api.service import Api

FAILED = {"status": TrajectoryStatus.FAILED, "cause": "timeout", "ratings": ()}


def listed(api: Api, **query: object) -> list[dict[str, Any]]:
    answer = api.client.get("/v1/trajectories", params={"limit": "200", **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


@pytest.fixture
def two_runs(api: Api) -> tuple[str, str]:
    """Two runs: the first with six conversations in two rounds, the second with one."""
    first, second = a_run(api.engine, seed=1), a_run(api.engine, seed=2)
    hold(
        api.engine,
        first,
        1,
        [
            a_trajectory(0, said=("I drink a bottle each night", "Please see a doctor"), ratings=(2,)),
            a_trajectory(1, user_kind=UserKind.BIASED, ratings=(9,)),
            a_trajectory(2, scenario="loan", ratings=(7,)),
            a_trajectory(3, **FAILED),
        ],
    )
    policy = f"run-{first}-r1"
    hold(api.engine, first, 2, [a_trajectory(slot, policy=policy, ratings=(4 + slot,)) for slot in range(2)])
    hold(api.engine, second, 1, [a_trajectory(0, said=("Is drinking wrong?", "No"))])
    chosen = [Selected(1, 1, 9, Label.DESIRABLE, "rank 1"), Selected(0, 3, 2, Label.UNDESIRABLE, "rank 3")]
    choose(api.engine, first, 1, chosen)
    return first, second


def places(found: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(item["round"], item["slot"]) for item in found]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)]),
        ({"round": 2}, [(2, 0), (2, 1)]),
        ({"round": [2, 7]}, [(2, 0), (2, 1)]),
        ({"scenario": "loan"}, [(1, 2)]),
        ({"scenario": ["loan", "drinking"], "round": 1}, [(1, 0), (1, 1), (1, 2), (1, 3)]),
        ({"user_kind": "biased"}, [(1, 1)]),
        ({"status": "failed"}, [(1, 3)]),
        ({"status": "failed", "sort": "-score"}, [(1, 3)]),
        ({"status": "unscored"}, []),
        ({"label": "desirable"}, [(1, 1)]),
        ({"label": ["desirable", "undesirable"], "sort": "-id"}, [(1, 1), (1, 0)]),
        ({"score_from": 5}, [(1, 1), (1, 2), (2, 1)]),
        ({"score_to": 4}, [(1, 0), (2, 0)]),
        ({"score_from": 7, "score_to": 7}, [(1, 2)]),
        ({"q": "bottle"}, [(1, 0)]),
        ({"q": '"see a doctor" -loan'}, [(1, 0)]),
        ({"q": "therapist"}, []),
        ({"sort": "-id", "round": 1}, [(1, 3), (1, 2), (1, 1), (1, 0)]),
        ({"sort": "score"}, [(1, 0), (2, 0), (2, 1), (1, 2), (1, 1), (1, 3)]),
        ({"sort": "-score"}, [(1, 1), (1, 2), (2, 1), (2, 0), (1, 0), (1, 3)]),
    ],
)
def test_a_filter_finds_what_it_says(
    api: Api, two_runs: tuple[str, str], query: dict[str, object], expected: list[tuple[int, int]]
) -> None:
    assert places(listed(api, run=two_runs[0], **query)) == expected


def test_filters_reach_over_runs(api: Api, two_runs: tuple[str, str]) -> None:
    first, second = two_runs
    assert len(listed(api)) == 7
    assert {item["run"] for item in listed(api, q="drink")} == {first, second}
    assert len(listed(api, run=[first, second])) == 7
    assert places(listed(api, policy=f"run-{first}-r1")) == [(2, 0), (2, 1)]


def test_a_run_may_be_named_by_a_beginning_and_one_that_is_not_there_is_said(api: Api) -> None:
    run = a_run(api.engine)
    hold(api.engine, run, 1, [a_trajectory(0)])
    assert len(listed(api, run=run[:5])) == 1
    answer = api.client.get("/v1/trajectories", params={"run": "nosuch"})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:driftloop:not_found")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"q": "the is a"}, "q"),
        ({"q": "nul\0"}, "q"),
        ({"scenario": "\0"}, "scenario"),
        ({"status": "great"}, "status"),
        ({"round": "one"}, "round"),
        ({"round": 2**40}, "round"),
        ({"score_from": 2**40}, "score_from"),
        ({"score_from": 3, "score_to": 2.5}, "score_from: 3 is more than score_to, 2.5; exchange them"),
        ({"sort": "slot"}, "sort"),
        ({"limit": 0}, "limit"),
    ],
)
def test_what_makes_no_sense_is_named(api: Api, query: dict[str, object], field: str) -> None:
    answer = api.client.get("/v1/trajectories", params=query)
    assert answer.status_code == 422
    assert field in answer.json()["detail"]


def test_a_list_holds_openings_and_a_trajectory_everything(api: Api, two_runs: tuple[str, str]) -> None:
    long = "I feel low. " * 50
    asked = Call("assistant", "hosted", 1.0, 48, 7, "stop", 0.01, 20, 5, 30e-6, 1.0, 2.0)
    talk = a_trajectory(0, said=(long, "<b>rest</b>"), ratings=(8,), calls=(asked,))
    (made,) = hold(api.engine, two_runs[1], 2, [talk])
    (item,) = listed(api, run=two_runs[1], round=2)
    assert "messages" not in item
    assert item["opening"] == long[:200]
    whole = api.client.get(f"/v1/trajectories/{made}").json()
    assert [message["role"] for message in whole["messages"]] == ["system", "user", "assistant"]
    assert whole["messages"][2]["content"] == "<b>rest</b>"
    assert (whole["ratings"], whole["satisfaction"], whole["calls"][0]["seed"]) == ([8], 8, 7)
    spent = [whole["calls"][0][f"{price}_usd_per_million"] for price in ("input", "output")]
    assert (whole["calls"][0]["cost_usd"], *spent) == (30e-6, 1, 2)
    assert whole["selection"] is None


def test_a_selected_trajectory_says_why(api: Api, two_runs: tuple[str, str]) -> None:
    (item,) = listed(api, run=two_runs[0], label="undesirable")
    whole = api.client.get(f"/v1/trajectories/{item['id']}").json()
    assert whole["selection"] == {"rank": 3, "score": 2.0, "label": "undesirable", "reason": "rank 3"}


def test_an_unknown_trajectory_is_a_problem(api: Api) -> None:
    for number, status in ((12345, 404), (0, 422), (2**64, 422)):
        assert api.client.get(f"/v1/trajectories/{number}").status_code == status


def walked(api: Api, limit: int, query: dict[str, object], insert: list[float]) -> list[dict[str, Any]]:
    """Walk all pages; between two of them a conversation with the next score of `insert` arrives."""
    seen: list[dict[str, Any]] = []
    ask = {**query, "limit": limit}
    arriving = iter(insert)
    while True:
        page = api.client.get("/v1/trajectories", params=ask).json()
        seen += page["items"]
        if page["next_cursor"] is None:
            return seen
        ask["cursor"] = page["next_cursor"]
        score = next(arriving, None)
        if score is not None:
            run, slot = str(query["run"]), 1000 + len(seen)
            hold(api.engine, run, 9, [a_trajectory(slot, ratings=(score,))])


RATING = st.integers(1, 4) | st.sampled_from([1.25, 2.0001, 3.9999])
SCORES = st.lists(st.one_of(st.none(), RATING), max_size=12)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scores=SCORES,
    sort=st.sampled_from(["id", "-id", "score", "-score"]),
    status=st.sampled_from([[], ["scored"], ["failed"], ["failed", "scored"]]),
    score_from=st.sampled_from([None, 2, 2.0001]),
    limit=st.integers(1, 5),
    insert=st.lists(RATING, max_size=3),
)
def test_walking_the_pages_meets_every_row_once_in_order_also_while_rows_arrive(
    api: Api,
    scores: list[float | None],
    sort: str,
    status: list[str],
    score_from: float | None,
    limit: int,
    insert: list[float],
) -> None:
    with transaction(api.engine) as session:
        session.execute(text("TRUNCATE runs CASCADE"))
    run = a_run(api.engine)
    held = [
        a_trajectory(slot, **FAILED) if score is None else a_trajectory(slot, ratings=(score,))
        for slot, score in enumerate(scores)
    ]
    query: dict[str, object] = {"run": run, "sort": sort, "status": status}
    if score_from:
        query["score_from"] = score_from
    hold(api.engine, run, 1, held)
    before = [item["id"] for item in listed(api, **query)]
    seen = walked(api, limit, query, insert)
    keys = [_key(item, sort) for item in seen]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    assert [item["id"] for item in seen if item["round"] == 1] == before
    expected = {
        slot
        for slot, score in enumerate(scores)
        if ("scored" if score else "failed") in (status or ["scored", "failed"])
        and (score_from is None or (score or 0) >= score_from)
    }
    assert {item["slot"] for item in seen if item["round"] == 1} == expected


def _key(item: dict[str, Any], sort: str) -> tuple[float, ...]:
    sign = -1 if sort.startswith("-") else 1
    if sort.endswith("id"):
        return (sign * item["id"],)
    score = item["satisfaction"]
    return (score is None, sign * (score or 0), sign * item["id"])


def test_a_cursor_is_good_for_its_own_order_only(api: Api, two_runs: tuple[str, str]) -> None:
    page = api.client.get("/v1/trajectories", params={"limit": 2, "sort": "score"}).json()
    query = {"sort": "-score", "cursor": page["next_cursor"]}
    answer = api.client.get("/v1/trajectories", params=query)
    assert (answer.status_code, answer.json()["detail"][:7]) == (422, "cursor:")
