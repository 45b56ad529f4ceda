"""Who may do what: a walk over every route, so that none that is added is forgotten."""

from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import Engine, text

from services.core.db import tokens
from services.core.db.session import transaction
from services.core.db.tables import Base
from services.core.domain.access import Scope
from services.simulator.api.auth import COOKIE
from tests.core.db.builders import a_run
from tests.simulator.api.service import ELSEWHERE, SPEC, Api

OPEN_TO_ALL = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("GET", "/static/{digest}/{name:path}"),
}
"""Routes without a token, each for a reason: probes, the API's description, the way in and out, and what pages look like."""
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


class Place(NamedTuple):
    """A method at a route."""

    method: str
    template: str

    @property
    def path(self) -> str:
        """An address there, with the run and the token that these tests make."""
        return (
            self.template.replace("{run_id}", RUN_ID)
            .replace("{name}", "victim")
            .replace("{", "")
            .replace("}", "")
        )


RUN_ID = "RUN"


def places(api: Api) -> list[Place]:
    app = api.client.app
    assert isinstance(app, FastAPI)
    return [
        Place(method, str(route.path))
        for route in iter_route_contexts(app.routes)
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]


def test_the_walk_sees_every_kind_of_route(guarded: Api) -> None:
    found = set(places(guarded))
    assert found >= OPEN_TO_ALL
    assert {("GET", "/v1/runs"), ("DELETE", "/v1/runs/{run_id}"), ("GET", "/metrics"), ("GET", "/")} <= found


def test_without_a_token_every_route_is_closed_that_is_not_on_the_list(guarded: Api) -> None:
    for place in places(guarded):
        if place in OPEN_TO_ALL:
            continue
        answer = guarded.client.request(place.method, place.path, json=SPEC, headers={"Origin": ELSEWHERE})
        assert answer.status_code == 401, place
        assert answer.headers["www-authenticate"] == "Bearer", place


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer ", "Bearer \xff", "Basic dXNlcjpwYXNz", "dl_x", f"Bearer {'x' * 5000}"]
)
def test_what_is_no_token_opens_nothing(guarded: Api, header: str) -> None:
    answer = guarded.client.get("/v1/runs", headers={"Authorization": header.encode("latin-1")})
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:driftloop:unauthorised")


def contents(engine: Engine) -> dict[str, Any]:
    """Everything in the database."""
    with engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(table.select()).all()))
            for table in Base.metadata.sorted_tables
        }


def test_a_token_of_scope_read_changes_nothing(guarded: Api) -> None:
    run_id = a_run(guarded.engine)
    with transaction(guarded.engine) as session:
        tokens.create(session, "victim", Scope.ADMIN)
    bearer = guarded.bearer(Scope.READ)
    cookie = {COOKIE: bearer["Authorization"].removeprefix("Bearer ")}
    before = contents(guarded.engine)
    unsafe = [place for place in places(guarded) if place.method in UNSAFE and place not in OPEN_TO_ALL]
    assert len(unsafe) >= 9
    guarded.client.cookies.update(cookie)
    for place in unsafe:
        answer = guarded.client.request(
            place.method,
            place.path.replace(RUN_ID, run_id),
            json=SPEC,
            headers=bearer | {"Origin": ELSEWHERE},
        )
        assert answer.status_code == 403, place
    assert contents(guarded.engine) == before
    assert guarded.rung == []


def test_a_token_of_scope_launch_launches_and_does_not_delete(guarded: Api) -> None:
    bearer = guarded.bearer(Scope.LAUNCH)
    run_id = guarded.client.post("/v1/runs", json=SPEC, headers=bearer).json()["run"]["id"]
    assert guarded.client.post(f"/v1/runs/{run_id}/cancel", headers=bearer).status_code == 200
    assert guarded.client.delete(f"/v1/runs/{run_id}", headers=bearer).status_code == 403
    assert guarded.client.get("/v1/tokens", headers=bearer).status_code == 403
    assert guarded.client.delete(f"/v1/runs/{run_id}", headers=guarded.bearer(Scope.ADMIN)).status_code == 204


def test_a_browser_s_cookie_only_reads(guarded: Api) -> None:
    secret = guarded.bearer(Scope.ADMIN)["Authorization"].removeprefix("Bearer ")
    guarded.client.cookies.set(COOKIE, secret)
    assert guarded.client.get("/v1/runs").status_code == 200
    assert guarded.client.post("/v1/runs", json=SPEC).status_code == 401


def test_tokens_are_made_listed_and_revoked_and_the_secret_is_told_once(guarded: Api) -> None:
    admin = guarded.bearer(Scope.ADMIN)
    made = guarded.client.post("/v1/tokens", json={"name": "notebook", "scope": "read"}, headers=admin)
    assert made.status_code == 201
    secret = made.json()["token"]
    bearer = {"Authorization": f"Bearer {secret}"}
    assert guarded.client.get("/v1/runs", headers=bearer).status_code == 200
    listed = guarded.client.get("/v1/tokens", headers=admin)
    assert [token["name"] for token in listed.json()["items"]] == ["admin-0", "notebook"]
    assert secret not in listed.text
    with guarded.engine.connect() as connection:
        kept = connection.execute(text("SELECT * FROM tokens")).all()
    assert secret not in str(kept)
    twice = guarded.client.post("/v1/tokens", json={"name": "notebook", "scope": "admin"}, headers=admin)
    assert (twice.status_code, "already" in twice.json()["detail"]) == (409, True)
    assert guarded.client.delete("/v1/tokens/notebook", headers=admin).status_code == 204
    assert guarded.client.get("/v1/runs", headers=bearer).status_code == 401


def test_the_same_request_for_a_token_again_is_told_a_secret_that_works_and_none_is_kept(
    guarded: Api,
) -> None:
    headers = guarded.bearer(Scope.ADMIN) | {"Idempotency-Key": "line-broke"}
    wanted = {"name": "notebook", "scope": "read"}
    first, again = (guarded.client.post("/v1/tokens", json=wanted, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() | {"token": ""} == first.json() | {"token": ""}
    for answer, status in ((first, 401), (again, 200)):
        bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert guarded.client.get("/v1/runs", headers=bearer).status_code == status
    with guarded.engine.connect() as connection:
        kept = str(connection.execute(text("SELECT * FROM idempotent_requests")).all())
    assert "line-broke" in kept
    assert first.json()["token"] not in kept
    other = guarded.client.post("/v1/tokens", json=wanted | {"name": "other"}, headers=headers)
    assert (other.status_code, "another request" in other.json()["detail"]) == (409, True)


@pytest.mark.parametrize("name", ["", "Big", "a b", "a/b", "x" * 64, "\u00e9", None, 3])
def test_a_token_s_name_is_a_name(api: Api, name: object) -> None:
    answer = api.client.post("/v1/tokens", json={"name": name, "scope": "read"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "name")
