"""The way in: a token becomes a cookie that no script reads; forms are taken from our own pages only."""

import pytest

from services.core.domain.access import Scope
from tests.simulator.api.service import ELSEWHERE, Api
from tests.simulator.pages.browsing import BROWSER, let_in, send, visit


def a_token(api: Api, scope: Scope = Scope.READ) -> str:
    return api.bearer(scope)["Authorization"].removeprefix("Bearer ")


def test_who_has_no_token_is_led_to_where_it_is_given(guarded: Api) -> None:
    answer = visit(guarded, "/?cursor=abc")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/%3Fcursor%3Dabc")
    assert "Token" in visit(guarded, "/login").text


def test_programs_are_told_in_json(guarded: Api) -> None:
    for path, headers in (("/", {}), ("/v1/runs", BROWSER)):
        answer = guarded.client.get(path, headers=headers, follow_redirects=False)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


def test_a_token_becomes_a_cookie_that_lets_in(guarded: Api) -> None:
    answer = send(guarded, "/login", {"token": f" {a_token(guarded)}\n", "next": "/?cursor="})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?cursor=")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert visit(guarded, "/").status_code == 200


def test_a_link_with_a_token_lets_in_and_loses_it(guarded: Api) -> None:
    answer = visit(guarded, f"/login?token={a_token(guarded)}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert visit(guarded, "/").status_code == 200


def test_a_wrong_token_is_asked_for_again_and_kept_nowhere(guarded: Api) -> None:
    for answer in (send(guarded, "/login", {"token": "dl_x"}), visit(guarded, "/login?token=dl_x")):
        assert answer.status_code == 401
        assert "this token is not valid here" in answer.text
        assert "set-cookie" not in answer.headers
        assert "dl_x" not in answer.text


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/a\r\nSet-Cookie: b=c"]
)
def test_the_way_in_leads_nowhere_else(guarded: Api, target: str) -> None:
    answer = send(guarded, "/login", {"token": a_token(guarded), "next": target})
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{ELSEWHERE}.evil.example"])
def test_a_form_from_elsewhere_is_refused(guarded: Api, origin: str) -> None:
    let_in(guarded, Scope.ADMIN)
    for path in ("/login", "/logout"):
        answer = send(guarded, path, {"token": a_token(guarded)}, origin)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    assert guarded.client.post("/logout", headers=BROWSER).status_code == 403


def test_out_is_out(guarded: Api) -> None:
    send(guarded, "/login", {"token": a_token(guarded)})
    assert send(guarded, "/logout", {}).headers["location"] == "/login"
    assert visit(guarded, "/").status_code == 303


def test_an_open_service_asks_nobody(api: Api) -> None:
    assert visit(api, "/login").headers["location"] == "/"
    page = visit(api, "/").text
    assert "Log out" not in page


def test_every_page_forbids_what_is_not_ours(api: Api) -> None:
    for path in ("/", "/nosuch", "/?cursor=?"):
        answer = visit(api, path)
        assert answer.headers["content-type"] == "text/html; charset=utf-8", path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
