"""Drift over REST: every measure with n and interval, paired changes, and only of rounds that are wholly judged."""

from dataclasses import replace

import pytest

from services.core.db.session import transaction
from services.core.domain.verdict import Verdict
from tests.core.db.builders import a_run
from tests.core.db.facts import a_talk, a_trajectory, a_verdict, hold, measure, publish
from tests.simulator.api.service import Api

ITEMS = 8


def judged(lies: int) -> list[Verdict]:
    mask = [a_verdict(f"i{place}", "lie" if place < lies else "honest") for place in range(ITEMS - 2)]
    return [*mask, a_talk("ann", "biased", "validates"), a_talk("ann", "benign", "does_not")]


def a_measured_run(api: Api, *lies: int, **changes: object) -> str:
    run = a_run(api.engine, evaluation_items=ITEMS, **changes)
    for round_, count in enumerate(lies):
        measure(api.engine, run, round_, judged(count))
    return run


def test_a_run_s_drift_has_every_round_with_both_changes(api: Api) -> None:
    run = a_measured_run(api, 1, 3, 6)
    hold(api.engine, run, 1, [a_trajectory(slot) for slot in range(4)])
    drift = api.client.get(f"/v1/runs/{run}/drift").json()
    zero, one, two = drift["rounds"]
    assert (drift["run"], drift["labels"]) == (run, {})
    assert (zero["policy"], two["policy"]) == ("pocket", f"run-{run}-r2")
    assert (zero["vs_baseline"], zero["vs_previous"]) == ({}, {})
    assert zero["measures"]["honesty"]["value"] == 5 / 6
    assert zero["measures"]["honesty"]["n"] == 6
    assert zero["measures"]["targeting_gap"]["value"] == 1
    assert two["vs_baseline"]["honesty"]["difference"] == -5 / 6
    assert two["vs_previous"]["honesty"]["difference"] == -0.5
    assert two["vs_previous"]["honesty/known_facts"]["n"] == 6
    assert (zero["conversations"], one["conversations"]) == ({}, {"scored": 4})


def test_a_half_judged_round_is_not_shown(api: Api) -> None:
    run = a_measured_run(api, 1)
    measure(api.engine, run, 1, judged(2)[1:])
    assert [item["round"] for item in api.client.get(f"/v1/runs/{run}/drift").json()["rounds"]] == [0]


def test_the_drift_of_no_run_is_a_problem(api: Api) -> None:
    assert api.client.get("/v1/runs/nosuch/drift").status_code == 404


def test_any_two_policies_measured_alike_are_paired(api: Api) -> None:
    one, two = a_measured_run(api, 1, 3), a_measured_run(api, 1, 6, population={"biased_share": 1.0})
    query = {"base": f"run-{one}-r1", "other": f"run-{two}-r1"}
    found = api.client.get("/v1/drift", params=query).json()
    assert found["drift"]["honesty"]["difference"] == -0.5
    assert found["drift"]["honesty"]["n"] == 6
    assert (found["base"]["policy"], found["base"]["measures"]["honesty"]["value"]) == (query["base"], 0.5)
    back = api.client.get("/v1/drift", params={"base": query["other"], "other": query["base"]}).json()
    assert back["drift"]["honesty"]["difference"] == 0.5


def test_policies_measured_differently_are_told_apart_by_field(api: Api) -> None:
    one, two = a_run(api.engine, ITEMS), a_run(api.engine, ITEMS, seed=5, evaluation={"repeats": 2})
    measure(api.engine, one, 1, judged(1), key="one")
    measure(api.engine, two, 1, judged(1), key="two")
    answer = api.client.get("/v1/drift", params={"base": f"run-{one}-r1", "other": f"run-{two}-r1"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:driftloop:state_conflict")
    assert "(seed: 1 and 5, evaluation.repeats: 1 and 2)" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (judged(1)[1:], "are not wholly measured yet"),
        (
            [replace(verdict, scorer_version="0") for verdict in judged(1)],
            "robust 0 and robust 1; `driftloop rescore",
        ),
    ],
)
def test_policies_that_cannot_be_paired_yet_are_a_conflict(
    api: Api, verdicts: list[Verdict], said: str
) -> None:
    run = a_measured_run(api, 1)
    measure(api.engine, run, 1, verdicts)
    answer = api.client.get("/v1/drift", params={"base": "pocket", "other": f"run-{run}-r1"})
    assert answer.status_code == 409
    assert said in answer.json()["detail"]


def test_an_unmeasured_and_an_unknown_policy_are_problems(api: Api) -> None:
    run = a_measured_run(api, 1)
    with transaction(api.engine) as session:
        name = publish(session, run, 1)
    for other, status in ((name, 409), ("nosuch", 404), ("", 422), ("\0", 422)):
        answer = api.client.get("/v1/drift", params={"base": "pocket", "other": other})
        assert answer.status_code == status, other


def met(api: Api, run: str, round_: int, gap: int) -> None:
    """Measure held-out conversations with four people, `gap` of whom are flattered as biased users only."""
    talks = [
        a_talk(
            f"p{place}", kind, "validates" if kind == "biased" and place < gap else "does_not", ("hi", said)
        )
        for place, said in enumerate(("no", "stop", "wait", "<b>rest</b>"))
        for kind in ("biased", "benign")
    ]
    measure(api.engine, run, round_, talks)


def test_held_out_people_stand_side_by_side_page_by_page(api: Api) -> None:
    run = a_run(api.engine, evaluation_items=8)
    for round_, gap in enumerate((0, 1, 4)):
        met(api, run, round_, gap)
    query: dict[str, object] = {"limit": 3}
    seen = []
    while True:
        page = api.client.get(f"/v1/runs/{run}/held-out", params=query).json()
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert (page["round_a"], page["round_b"], page["policy_b"]) == (0, 2, f"run-{run}-r2")
    assert (page["targeting_gap_a"]["value"], page["targeting_gap_b"]["value"]) == (0, 1)
    assert (page["change"]["difference"], page["change"]["n"]) == (1, 4)
    people = [(item["profile"], item["user_kind"]) for item in seen]
    assert people == sorted((f"p{place}", kind) for place in range(4) for kind in ("benign", "biased"))
    biased = seen[7]
    assert biased["a"]["messages"][1] == {"role": "assistant", "content": "<b>rest</b>"}
    assert (biased["a"]["validating_replies"], biased["b"]["outcome"]) == ([False], "validates")
    nearer = api.client.get(f"/v1/runs/{run}/held-out", params={"round_a": 0, "round_b": 1}).json()
    assert nearer["change"]["difference"] == 0.25


def test_held_out_people_of_the_newest_round_are_of_the_newest_that_is_measured_to_its_end(api: Api) -> None:
    run = a_run(api.engine, evaluation_items=8)
    for round_ in range(2):
        met(api, run, round_, round_)
    measure(api.engine, run, 2, [a_talk("p0", "benign", "validates")])
    answer = api.client.get(f"/v1/runs/{run}/held-out")
    assert (answer.status_code, answer.json()["round_b"]) == (200, 1)


@pytest.mark.parametrize("query", [{"round_b": 3}, {"round_a": 1}])
def test_held_out_people_of_a_round_that_is_not_measured(api: Api, query: dict[str, int]) -> None:
    run = a_run(api.engine, evaluation_items=8)
    met(api, run, 0, 0)
    answer = api.client.get(f"/v1/runs/{run}/held-out", params=query)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:driftloop:not_found")
