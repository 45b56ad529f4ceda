"""What is refused before any route sees it, and how everything that goes wrong is said."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from services.core.domain.access import Scope
from services.core.domain.complaints import one_line
from tests.simulator.api.service import SPEC, Api

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "path", ["/v1/runs/a%00b", "/v1/runs?cursor=%00", "/v1/runs?%00=1", "/v1/runs?=%00", "/%00"]
)
def test_a_nul_in_the_address_is_refused(api: Api, path: str) -> None:
    answer = api.client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:driftloop:bad_request")
    assert answer.json()["detail"].endswith(": holds a NUL character; remove it")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("127.0.0.1:8000", 200), ("localhost", 200), ("[::1]:8000", 200), ("127.9.9.9", 200)),
        *(("evil.example", 403), ("127.0.0.1.evil.example", 403), ("192.168.1.5:8000", 403), ("", 403)),
        *(("localhost.evil.example", 403), ("[::", 403), ("user@evil.example", 403)),
    ],
)
def test_an_open_service_answers_only_to_this_machine_s_names(api: Api, host: str, status: int) -> None:
    for path in ("/v1/runs", "/", "/healthz"):
        assert api.client.get(path, headers={"Host": host}).status_code == status


def test_a_guarded_service_answers_to_any_name(guarded: Api) -> None:
    headers = guarded.bearer(Scope.READ)
    assert guarded.client.get("/v1/runs", headers=headers | {"Host": "lab.example"}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        *((None, 201), ("http://127.0.0.1:8000", 201)),
        *(("http://evil.example", 403), ("null", 403), ("http://127.0.0.1:9999", 403)),
    ],
)
def test_another_page_may_change_nothing_in_an_open_service(
    api: Api, origin: str | None, status: int
) -> None:
    headers = {} if origin is None else {"Origin": origin}
    assert api.client.post("/v1/runs", json=SPEC, headers=headers).status_code == status
    assert api.client.get("/v1/runs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("content", "headers", "detail"),
    [
        (b"", JSON, "body: is missing; add it"),
        (b"{", JSON, "body: is no JSON: "),
        (b"\xff", JSON, "body: is no JSON that can be read"),
        (b"[" * 100_000, JSON, "body: is no JSON that can be read"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, JSON, "a.a.a.a.a.a"),
        (b'{"seed": ' + b"9" * 5000 + b"}", JSON, "body: is no JSON that can be read"),
        (b"[]", JSON, "body: a list stands where a JSON object belongs; send one"),
        (b"null", JSON, "body: "),
        (b'"text"', JSON, "body: 'text' stands where a JSON object belongs; send one"),
        (b"{}", {}, "body: is no JSON; send a JSON object with the header Content-Type: application/json"),
        (
            b"a=1",
            {"Content-Type": "application/x-www-form-urlencoded"},
            "body: is no JSON; send a JSON object",
        ),
        (b"{}", {"Content-Type": "\xff;"}, "body: is no JSON; send a JSON object"),
    ],
)
def test_a_body_that_is_no_object_is_one_line(
    api: Api, content: bytes, headers: dict[str, str], detail: str
) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    for path in ("/v1/runs", "/v1/sweeps", "/v1/plans"):
        answer = api.client.post(path, content=content, headers=raw)
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"].startswith(detail)
        assert "\n" not in answer.json()["detail"]


def pieces() -> Iterator[bytes]:
    for _ in range(40):
        yield b" " * 65_536


@pytest.mark.parametrize("content", [b" " * (2 << 20), pieces], ids=["of known length", "in pieces"])
def test_a_body_that_is_too_long_is_refused(api: Api, content: bytes | Callable[[], Iterator[bytes]]) -> None:
    sent = content() if callable(content) else content
    answer = api.client.post("/v1/runs", content=sent, headers=JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert "longer than 1,048,576 bytes" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("runs?status=done", "status: 'done' is not known; use 'running', "),
        ("runs?limit=0", "limit: '0' is too small; use at least 1"),
        ("runs?limit=1000", "limit: '1000' is too large; use at most 200"),
        ("runs?limit=many", "limit: 'many' is no whole number; use one"),
        ("trajectories?score_from=high", "score_from: 'high' is no number; use one"),
        ("trajectories?run=", "run: is empty; write it, or leave it off"),
        (f"trajectories?run={201 * 'x'}", "run: is too long; use at most 200 characters"),
        ("trajectories?run=a%01", "run: holds a character that it can't hold; leave it out"),
        ("drift?base=a", "other: is missing; add it"),
        ("exports/verdicts", "run: is missing; add it"),
        (
            "scenarios/pocket/meals/preview?bias_strength=0",
            "bias_strength: '0' is too small; use more than 0",
        ),
        (
            "scenarios/pocket/meals/preview?show_preference=2",
            "show_preference: '2' is neither true nor false; ",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_the_mend(api: Api, path: str, detail: str) -> None:
    answer = api.client.get(f"/v1/{path}")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(detail), answer.json()["detail"]


def test_a_misspelt_parameter_is_refused_and_guessed(api: Api) -> None:
    answer = api.client.get("/v1/runs", params={"stauts": "running"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "stauts")
    assert answer.json()["detail"] == "stauts: is no parameter here; did you mean status?"
    assert "leave it out" in api.client.get("/v1/spec-schema", params={"x": 1}).json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("GET", "/v1/nothing", 404), ("GET", "/nothing", 404), ("GET", "/v1/runs/nosuch", 404)),
        *(("PATCH", "/v1/runs/x", 405), ("PUT", "/v1/runs", 405), ("OPTIONS", "/v1/runs", 405)),
        *(("GET", "/v1/runs?limit=0", 422), ("GET", "/v1/trajectories/99999999999999999999", 422)),
        *(("POST", "/v1/runs/nosuch/cancel", 404), ("DELETE", "/v1/tokens/nosuch", 404)),
        ("GET", "/v1/runs?cursor=x", 422),
    ],
)
def test_whatever_goes_wrong_has_one_shape(api: Api, method: str, path: str, status: int) -> None:
    answer = api.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem: dict[str, Any] = answer.json()
    assert problem.keys() == {"type", "title", "status", "detail", "instance", "errors"}
    assert problem["type"].startswith("urn:driftloop:")
    assert (problem["status"], problem["instance"]) == (status, path.partition("?")[0])
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        *(("/v1/runs", "GET, POST"), ("/v1/runs/x", "DELETE, GET"), ("/v1/runs/x/cancel", "POST")),
        *(("/v1/tokens", "GET, POST"), ("/healthz", "GET"), ("/login", "GET, POST")),
    ],
)
def test_a_wrong_method_is_told_all_that_the_address_takes(api: Api, path: str, allowed: str) -> None:
    answer = api.client.request("PATCH", path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_head_is_answered_as_a_wrong_method_without_a_body(api: Api) -> None:
    answer = api.client.head("/v1/runs")
    assert answer.status_code == 405


def test_what_is_unexpected_tells_only_a_number(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.simulator.api import sweeps

    def broken(*_: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(sweeps.sweeps, "list_sweeps", broken)
    quiet = TestClient(api.client.app, str(api.client.base_url), raise_server_exceptions=False)
    answer = quiet.get("/v1/sweeps")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:driftloop:internal")
    assert "swordfish" not in answer.text


@pytest.mark.parametrize("key", [b"\\u0000x", b"\\ud800", b"x\\ny", b"\\u001b[31m"])
def test_what_a_stranger_names_is_said_in_one_printable_line(api: Api, key: bytes) -> None:
    body = b'{"name": "a", "scope": "read", "%s": 1}' % key
    answer = api.client.post("/v1/tokens", content=body, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["detail"] == one_line(answer.json()["detail"])
    assert answer.json()["errors"][0]["field"] == one_line(answer.json()["errors"][0]["field"])
