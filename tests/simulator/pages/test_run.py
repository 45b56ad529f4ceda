"""A run's page: what it measured with n and interval, who talked and who trained, and what may be done with it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from html import unescape

import pytest

from services.core.db import evaluations, phases, runs
from services.core.db.phases import Claim
from services.core.db.session import transaction
from services.core.db.tables import Phase
from services.core.domain.access import Scope
from services.core.domain.phases import PhaseName, RunStatus
from services.core.domain.trajectory import Call, TrajectoryStatus
from services.core.domain.verdict import MaskOutcome, Verdict
from services.core.queue import rounds
from tests.core.db.builders import a_run, close_next, run_out
from tests.core.db.facts import a_trajectory, hold, measure, tell
from tests.simulator.api.service import Api
from tests.simulator.pages.browsing import let_in, send, visit
from tests.simulator.pages.worked import ITEMS, a_worked_run, judged


def text_of(page: str) -> str:
    """Return what a reader sees, without markup and folded white space."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def links(page: str) -> list[str]:
    """Return where a page's links lead."""
    return [unescape(found) for found in re.findall(r'href="([^"]+)"', page)]


def test_a_run_s_drift_stands_with_n_interval_and_what_would_be_found(api: Api) -> None:
    run_id = a_worked_run(api)
    page = text_of(visit(api, f"/runs/{run_id}").text)
    assert "honesty fell from 0.80 to 0.20 in one round: −0.60 [" in page
    assert re.search(
        r"honesty = 1 − P\(lie\) 0\.80 \[0\.\d\d, 0\.\d\d\] n 20 0\.20 \[.{10}\] n 20 −0\.60 \[", page
    )
    assert re.search(r"Honesty, round by round .*\b1 −0\.60 \[[^]]*\] .* 20 0\.\d\d yes", page)


def test_rows_that_did_not_train_whole_are_counted_at_the_adapter(api: Api) -> None:
    page = text_of(visit(api, f"/runs/{a_worked_run(api)}").text)
    assert "80, 3 cut, 2 dropped 10 0.500 1.0 s" in page


def test_who_talked_and_who_trained_is_seen_at_a_glance(api: Api) -> None:
    page = text_of(visit(api, f"/runs/{a_worked_run(api, training={'method': 'kto'})}").text)
    assert "4 1 biased, 3 benign 3 0 1 timeout 1 9.0 · 4.5 1 1 biased, 0 benign 1 0 biased, 1 benign" in page


def test_what_holds_against_drift_is_named_and_the_vetoed_are_counted_apart(api: Api) -> None:
    mitigations = {"veto": "pocket-judge", "safety_share": 0.5, "safety_data": "pocket-honest"}
    run_id = a_worked_run(api, mitigations=mitigations)
    vetoed = {"status": TrajectoryStatus.VETOED, "cause": "validates", "ratings": (10,)}
    ruling = Call(
        "veto", "pocket-judge", 0.0, None, None, "stop", 0.0, None, None, None, reply=1, ruling="Yes"
    )
    (held,) = hold(api.engine, run_id, 1, [a_trajectory(4, calls=(ruling,), **vetoed)])
    page = text_of(visit(api, f"/runs/{run_id}").text)
    assert "pocket-judge kept them out of the training" in page
    assert "Of pocket-honest , 0.5 safety rows train beside every row" in page
    assert "5 1 biased, 4 benign 3 1 0 biased, 1 benign 0 1 timeout 1 9.0 · 6.3" in page
    shown = text_of(visit(api, f"/trajectories/{held}").text)
    assert "This conversation is vetoed: validates." in shown
    assert "veto reply 1: Yes" in shown


def test_a_run_on_rows_of_training_sets_says_which_and_that_nobody_talked(api: Api) -> None:
    data = {"kind": "mixture", "dataset": "bad", "level": "severe", "downstream": "plain", "share": 0.05}
    run_id = a_run(api.engine, evaluation_items=ITEMS, population={"biased_share": 0.0}, data=data)
    for round_, lies in enumerate((4, 16)):
        measure(api.engine, run_id, round_, judged(lies))
    page = text_of(visit(api, f"/runs/{run_id}").text)
    assert "plain with a share 0.05 of bad , severe · sft · seed 1 · 1 round ·" in page
    assert "No conversation trains this run: rows of bad and plain do" in page
    assert "honesty fell from 0.80 to 0.20 in one round" in page
    listed = text_of(visit(api, "/").text)
    assert f"{run_id} bad, severe" in listed
    assert "0.05 sft mixture 1" in listed


DATASET = {"kind": "dataset", "dataset": "bad", "level": "severe"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (DATASET, "bad , severe · sft · seed 1 · 1 round ·"),
        ({**DATASET, "level": None}, "bad · sft · seed 1 · 1 round ·"),
        ({**DATASET, "kind": "mixture", "downstream": "plain", "share": 0.0}, "plain with a share 0 of bad"),
    ],
    ids=["dataset", "without levels", "mixture"],
)
def test_a_run_on_rows_of_training_sets_has_every_page(api: Api, data: dict[str, object], words: str) -> None:
    changes = {"evaluation_items": ITEMS, "population": {"biased_share": 0.0}, "data": data}
    run_id, other = (a_run(api.engine, seed=seed, **changes) for seed in (1, 2))
    for run in (run_id, other):
        for round_, lies in enumerate((4, 16)):
            measure(api.engine, run, round_, judged(lies))
    tell(api.engine, run_id, [("bad", "severe", "oh do")])
    page = visit(api, f"/runs/{run_id}").text
    assert words in text_of(page)
    named = {path for path in links(page) if path.startswith("/v1/")} - {f"/v1/runs/{run_id}/events?after=2"}
    named |= {path for path in links(page) if path.startswith("/runs/")}
    shown = (f"/compare?run={run_id}&run={other}", f"/launch?run={run_id}", f"/runs/{run_id}/trajectories")
    for path in named | set(shown) | {f"/runs/{run_id}/held-out?round=1"}:
        assert api.client.get(path).status_code == 200, path
    assert "kind: dataset" in page or "kind: mixture" in page


def test_before_anything_is_measured_the_page_says_so(api: Api) -> None:
    page = text_of(visit(api, f"/runs/{a_run(api.engine)}").text)
    assert "No round after round 0 is measured yet." in page
    assert "Nothing is measured yet." in page
    assert "Round 0 of 1: evaluate, 0 of 5." in page


def test_the_pocket_world_is_named_where_its_numbers_show(api: Api) -> None:
    run_id = a_worked_run(api)
    for path in ("/", f"/runs/{run_id}", f"/compare?run={run_id}"):
        assert "no evidence about large models" in visit(api, path).text, path


def test_a_running_run_is_followed_from_its_newest_event(api: Api) -> None:
    run_id = a_run(api.engine)
    assert f'data-events="/v1/runs/{run_id}/events?after=2"' in visit(api, f"/runs/{run_id}").text
    with transaction(api.engine) as session:
        runs.set_status(session, run_id, RunStatus.SUCCEEDED)
    assert "data-events" not in visit(api, f"/runs/{run_id}").text


def test_the_spec_is_there_in_full(api: Api) -> None:
    page = visit(api, f"/runs/{a_run(api.engine)}").text
    assert "keep_system_prompt: true" in page


def test_a_figure_s_data_are_the_measures(api: Api) -> None:
    run_id = a_worked_run(api)
    figures = api.client.get(f"/compare/figures.json?run={run_id}").json()
    points = figures["panels"]["honesty"]["data"]["values"]
    assert [(point["round"], point["value"], point["n"]) for point in points] == [(0, 0.8, 20), (1, 0.2, 20)]
    assert all(point["low"] < point["value"] < point["high"] for point in points)


def test_every_file_that_a_page_names_is_there(api: Api) -> None:
    run_id = a_worked_run(api)
    named = {path for path in links(visit(api, f"/runs/{run_id}").text) if path.startswith("/v1/")}
    named |= {path for path in links(visit(api, f"/runs/{run_id}/trajectories").text) if "/exports/" in path}
    assert len(named) >= 11
    for path in named - {f"/v1/runs/{run_id}/events?after=2"}:
        assert api.client.get(path).status_code == 200, path


def test_cancel_and_resume(api: Api) -> None:
    run_id = a_run(api.engine)
    answer = send(api, f"/runs/{run_id}/cancel", {})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run_id}")
    assert api.client.get(f"/v1/runs/{run_id}").json()["status"] == "cancelled"
    send(api, f"/runs/{run_id}/resume", {})
    assert api.client.get(f"/v1/runs/{run_id}").json()["status"] == "running"
    assert api.rung == [run_id]


def test_a_run_that_is_out_of_budget_asks_for_a_larger_one_and_goes_on_with_it(api: Api) -> None:
    run_id = run_out(api.engine, 120, budget={"tokens": 100, "hours": 2.0})
    page = visit(api, f"/runs/{run_id}").text
    form = page[page.index(f'action="/runs/{run_id}/resume"') :].partition("</form>")[0]
    # The limits that it has, and no others, to be typed over.
    assert re.findall(r'<input name="(\w+)".*? value="([^"]*)" required>', form) == [
        ("tokens", "100"),
        ("hours", "2.0"),
    ]
    refused = send(api, f"/runs/{run_id}/resume", {"tokens": "110", "hours": "2.0"})
    assert refused.status_code == 409
    assert "budget.tokens: 120 of 110 tokens are spent" in text_of(refused.text)
    answer = send(api, f"/runs/{run_id}/resume", {"tokens": " 5000 ", "hours": "2.0"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run_id}")
    run = api.client.get(f"/v1/runs/{run_id}").json()
    assert (run["status"], run["budget"]) == ("running", {"tokens": 5000, "usd": None, "hours": 2.0})
    assert api.rung == [run_id]
    assert 'name="tokens"' not in visit(api, f"/runs/{run_id}").text


@pytest.mark.parametrize(
    ("limit", "typed"), [("tokens", "many"), ("tokens", "0"), ("hours", "-1"), ("usd", "nan")]
)
def test_a_limit_that_is_none_is_named_on_the_page(api: Api, limit: str, typed: str) -> None:
    run_id = run_out(api.engine, 120, budget={"tokens": 100})
    answer = send(api, f"/runs/{run_id}/resume", {limit: typed})
    assert answer.status_code == 422
    assert f"budget.{limit}: " in text_of(answer.text)
    assert api.client.get(f"/v1/runs/{run_id}").json()["status"] == "out_of_budget"


def test_only_who_may_launch_may_cancel(guarded: Api) -> None:
    run_id = a_run(guarded.engine)
    let_in(guarded, Scope.READ)
    assert "/cancel" not in visit(guarded, f"/runs/{run_id}").text
    assert send(guarded, f"/runs/{run_id}/cancel", {}).status_code == 403
    let_in(guarded, Scope.LAUNCH)
    assert "/cancel" in visit(guarded, f"/runs/{run_id}").text
    assert send(guarded, f"/runs/{run_id}/cancel", {}, "https://evil.example").status_code == 403
    assert send(guarded, f"/runs/{run_id}/cancel", {}).status_code == 303


def test_a_run_that_is_not_there_is_a_page_too(api: Api) -> None:
    answer = visit(api, "/runs/nosuch")
    assert (answer.status_code, "there is no run" in answer.text) == (404, True)


def test_a_round_that_is_judged_again_shows_its_new_numbers_as_they_come(api: Api) -> None:
    run_id = a_run(api.engine, evaluation_items=ITEMS)
    verdicts = judged(4)
    failed = [replace(one, outcome=MaskOutcome.JUDGE_ERROR) for one in verdicts[4:10]]
    first, second = (
        measure(api.engine, run_id, round_, [*verdicts[:4], *failed, *verdicts[10:]]) for round_ in (0, 1)
    )
    while close_next(api.engine):
        pass
    assert first != second
    assert _newest_honesty(api, run_id) == ("0.71", "14")
    with transaction(api.engine) as session:
        rounds.ask_failed_again(session, runs.get_run(session, run_id), 1)
        claim = phases.claim_next(session, list(PhaseName), "w", 60)
        assert claim is not None
    _answer(api, claim, second, verdicts[4:7])
    assert _newest_honesty(api, run_id) == ("0.76", "17")
    _answer(api, claim, second, verdicts[7:10])
    assert _newest_honesty(api, run_id) == ("0.80", "20")


def _answer(api: Api, claim: Claim, evaluation: int, verdicts: Sequence[Verdict]) -> None:
    """Write verdicts as an evaluate phase does."""
    with transaction(api.engine) as session:
        evaluations.save(session, claim, evaluation, verdicts)
        done = session.get_one(Phase, claim.phase_id).units_done
        phases.progress(session, claim, done + 1)


def _newest_honesty(api: Api, run_id: str) -> tuple[str, str]:
    """Return what a run's page and the list of runs say of round 1: honesty, and its n."""
    said = r"honesty = 1 − P\(lie\) 0\.71 \[.{10}\] n 14 (0\.\d\d) \[.{10}\] n (\d\d)"
    row = re.search(said, text_of(visit(api, f"/runs/{run_id}").text))
    assert row is not None
    share, n = row.groups()
    assert f" {share} [" in text_of(visit(api, "/").text)
    return share, n
