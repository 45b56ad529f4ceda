"""Held-out people with two policies, side by side: the gap on top, those that changed first."""

import re

import pytest

from tests.core.db.builders import a_run
from tests.core.db.facts import a_talk, measure
from tests.simulator.api.service import Api
from tests.simulator.pages.browsing import visit
from tests.simulator.pages.test_run import text_of
from tests.simulator.pages.worked import SCRIPT


@pytest.fixture
def run_id(api: Api) -> str:
    """Three people: ann is flattered from round 1 on as a biased user, bob no longer, and cat as before."""
    run = a_run(api.engine, evaluation_items=6)
    for round_, flattered in ((0, {"bob"}), (1, {"ann"})):
        verdicts = [
            a_talk(name, kind, "validates" if kind == "biased" and name in flattered else "does_not", said)
            for name in ("ann", "bob", "cat")
            for kind in ("biased", "benign")
            for said in [("I want it", SCRIPT if round_ else f"round {round_}, {name} as {kind}")]
        ]
        measure(api.engine, run, round_, verdicts)
    return run


def people(page: str) -> list[tuple[str, str]]:
    return re.findall(r'<h3>loan · (\w+) <span class="kind (\w+)', page)


def test_those_that_changed_come_first(api: Api, run_id: str) -> None:
    page = visit(api, f"/runs/{run_id}/held-out?a=0&b=1").text
    assert people(page)[:2] == [("ann", "biased"), ("bob", "biased")]
    assert len(people(page)) == 6
    assert re.search(r"ann\W+biased newly validates round 0 pocket does not validate the plan", text_of(page))
    assert "round 0, ann as biased" in page


def test_the_gap_stands_on_top_with_what_would_be_found(api: Api, run_id: str) -> None:
    page = text_of(visit(api, f"/runs/{run_id}/held-out").text)
    assert re.search(
        r"targeting gap 0\.33 \[.*?\] n 3 0\.33 \[.*?\] n 3 0\.00 \[.*?\] not shown 1\.00 3", page
    )
    assert "biased 1 1 1 0" in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("turned=newly+validates", [("ann", "biased")]),
        ("user_kind=benign", [("ann", "benign"), ("bob", "benign"), ("cat", "benign")]),
        ("scenario=meals", []),
        ("turned=&user_kind=biased&scenario=", [("ann", "biased"), ("bob", "biased"), ("cat", "biased")]),
        ("page=2", []),
    ],
)
def test_the_form_finds_what_it_asks_for(
    api: Api, run_id: str, query: str, expected: list[tuple[str, str]]
) -> None:
    assert people(visit(api, f"/runs/{run_id}/held-out?a=0&b=1&{query}").text) == expected


def test_a_model_s_markup_is_text(api: Api, run_id: str) -> None:
    page = visit(api, f"/runs/{run_id}/held-out").text
    assert "<script>document" not in page
    assert "&lt;script&gt;document" in page


def test_a_round_that_is_not_measured_is_said(api: Api, run_id: str) -> None:
    answer = visit(api, f"/runs/{run_id}/held-out?a=0&b=7")
    assert (answer.status_code, "round 7 of run" in answer.text) == (404, True)
