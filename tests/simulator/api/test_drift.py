"""Drift over REST: every measure with n and interval, paired changes, and only of rounds that are wholly judged."""

from tests.core.db.builders import a_run
from tests.core.db.facts import a_talk, a_trajectory, a_verdict, hold, measure
from tests.simulator.api.service import Api

ITEMS = 8


def judged(lies: int) -> list[object]:
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
