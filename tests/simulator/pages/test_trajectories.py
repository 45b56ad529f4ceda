"""Conversations: found by what the form asks for, read as a chat; a model's markup stays text."""

import re
from dataclasses import replace

import pytest

from services.app.fingerprints import folder_sha256
from services.core.db.session import transaction
from services.core.domain.identity import Fingerprints
from services.core.domain.trajectory import UserKind
from services.core.queue import rounds
from services.core.settings import PROJECT
from tests.core.db.builders import a_new_run, a_run
from tests.core.db.facts import a_trajectory, hold
from tests.simulator.api.service import Api
from tests.simulator.pages.browsing import visit
from tests.simulator.pages.test_run import text_of
from tests.simulator.pages.worked import a_worked_run


@pytest.fixture
def run_id(api: Api) -> str:
    return a_worked_run(api)


def links(page: str) -> list[str]:
    return re.findall(r'href="(/trajectories/\d+[^"]*)">\d', page)


def listed(api: Api, run_id: str, query: str) -> list[str]:
    """Return the round and slot of what a list shows."""
    page = visit(api, f"/runs/{run_id}/trajectories?{query}")
    assert page.status_code == 200, page.text
    return re.findall(r'href="/trajectories/[^"]*">(\d+, \d+)</a>', page.text)


BLANK = "q=&round=&scenario=&user_kind=&status=&label=&score_from=&score_to=&sort="


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["1, 0", "1, 1", "1, 2", "1, 3"]),
        (BLANK, ["1, 0", "1, 1", "1, 2", "1, 3"]),
        ("q=doctor", ["1, 0"]),
        ("user_kind=biased&round=1", ["1, 1"]),
        ("round=2", []),
        ("scenario=loan", ["1, 2"]),
        ("status=failed", ["1, 3"]),
        ("label=undesirable", ["1, 0"]),
        ("score_from=3&score_to=8", ["1, 2"]),
        ("sort=-score", ["1, 1", "1, 2", "1, 0", "1, 3"]),
    ],
)
def test_the_form_finds_what_it_asks_for(api: Api, run_id: str, query: str, expected: list[str]) -> None:
    assert listed(api, run_id, query) == expected


def test_words_that_are_not_searched_for_are_told(api: Api, run_id: str) -> None:
    page = visit(api, f"/runs/{run_id}/trajectories?q=the")
    assert "has no word that is searched for" in page.text


def test_what_can_not_be_asked_for_is_told(api: Api, run_id: str) -> None:
    assert visit(api, f"/runs/{run_id}/trajectories?round=x").status_code == 422


def test_a_long_list_has_pages(api: Api) -> None:
    run_id = a_run(api.engine)
    hold(api.engine, run_id, 1, [a_trajectory(slot) for slot in range(60)])
    first = visit(api, f"/runs/{run_id}/trajectories?sort=-score").text
    following = re.search(r'href="\?(sort=-score&amp;cursor=[^"]+)"', first)
    assert following
    rest = listed(api, run_id, following[1].replace("&amp;", "&"))
    assert len(links(first)) == 50
    assert len(rest) == 10
    assert not set(rest) & set(listed(api, run_id, "sort=-score"))


def test_a_transcript_has_both_sides_ratings_and_why_it_trained(api: Api, run_id: str) -> None:
    (link,) = links(visit(api, f"/runs/{run_id}/trajectories?q=doctor").text)
    page = text_of(visit(api, link).text)
    assert "user I plan to drink policy rated 2 of 10 Please see a doctor" in page
    assert "rank 3 of 3 by satisfaction 2; bottom 1" in page
    assert "1 model call" in page


def test_a_rating_may_be_a_fraction(api: Api) -> None:
    run_id = a_run(api.engine)
    hold(api.engine, run_id, 1, [a_trajectory(0, said=("I plan to drink", "Rest."), ratings=(7.25,))])
    (link,) = links(visit(api, f"/runs/{run_id}/trajectories?score_from=7.2").text)
    page = text_of(visit(api, link).text)
    assert "policy rated 7.25 of 10 Rest." in page
    assert "7.25 of 10" in page


def test_a_model_s_markup_is_text(api: Api, run_id: str) -> None:
    link = links(visit(api, f"/runs/{run_id}/trajectories?user_kind=biased").text)[0]
    for path in (link, f"/runs/{run_id}/trajectories"):
        page = visit(api, path).text
        assert "<script>document" not in page
        assert "<img" not in page
    assert "&lt;script&gt;document.title = &#39;broken&#39;&lt;/script&gt;" in visit(api, link).text


@pytest.mark.parametrize("sort", ["id", "-id", "score", "-score"])
def test_previous_and_next_go_along_the_list(api: Api, run_id: str, sort: str) -> None:
    along = links(visit(api, f"/runs/{run_id}/trajectories?sort={sort}").text)
    assert len(along) == 4
    for here, (before, after) in zip(along, zip(["", *along], [*along[1:], ""], strict=False), strict=True):
        page = visit(api, here).text
        assert re.findall(r'rel="prev" href="([^"]+)"', page) == [before] * bool(before)
        assert re.findall(r'rel="next" href="([^"]+)"', page) == [after] * bool(after)


def test_a_failed_conversation_tells_its_cause(api: Api, run_id: str) -> None:
    (link,) = links(visit(api, f"/runs/{run_id}/trajectories?status=failed").text)
    assert "This conversation failed: timeout." in text_of(visit(api, link).text)


@pytest.mark.parametrize("policy", ["pocket", "gone"])
def test_a_user_s_thought_is_shown_only_from_the_files_that_it_came_from(api: Api, policy: str) -> None:
    for environment in ("changed since", folder_sha256(PROJECT / "scenarios/pocket")):
        fingerprints = Fingerprints(policy="p", environment=environment, data="d")
        new = replace(a_new_run(policy=policy), fingerprints=fingerprints, spec_hash=environment)
        with transaction(api.engine) as session:
            run_id = rounds.launch(session, new).run_id
        held = a_trajectory(0, scenario="wine", profile="sad-nurse", user_kind=UserKind.BIASED)
        (number,) = hold(api.engine, run_id, 1, [held])
        is_known = environment != "changed since"
        assert ("has in mind" in visit(api, f"/trajectories/{number}").text) is is_known


def test_a_conversation_that_is_not_there(api: Api) -> None:
    assert visit(api, "/trajectories/1").status_code == 404
