"""A client on a bad line: what is asked again, and the one line when nobody answers."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from services.core.domain import errors
from services.core.domain.errors import LoopError, ServiceUnreachable, SpecError, known_errors
from services.core.rest.client import Client
from services.core.rest.client.connection import part
from services.core.rest.models import Problem
from tests.core.rest.shaky import answer, shaky

NO_RUNS = answer(b'{"items": [], "next_cursor": null}')


def runs_at(url: str) -> list[Any]:
    with Client(url) as client:
        return list(client.runs.list())


def test_reading_is_tried_again_when_the_line_breaks() -> None:
    with shaky(["cut", "cut", NO_RUNS]) as service:
        assert runs_at(service.url) == []
    assert len(service.requests) == 3


def test_a_service_that_stays_away_is_one_line() -> None:
    with shaky(["cut"]) as service, pytest.raises(ServiceUnreachable) as caught:
        runs_at(service.url)
    line = rf"no service answers at {re.escape(service.url)} \(.*refused.*\); start one with `driftloop serve`, .*DRIFTLOOP_URL"
    assert re.fullmatch(line, str(caught.value))


def test_a_socket_that_nobody_made_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "no.sock"
    with Client.over_socket(path) as client, pytest.raises(ServiceUnreachable, match=re.escape(str(path))):
        list(client.runs.list())


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "localhost", "ftp://there", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SpecError, match=r"DRIFTLOOP_URL: .*write http://host:port"):
        Client(url)


def problem(kind: str, status: int) -> bytes:
    said = Problem(
        type=f"urn:driftloop:{kind}", title="t", status=status, detail="what and how", instance="/"
    )
    return answer(said.model_dump_json().encode(), f"{status} Said", "application/problem+json")


@pytest.mark.parametrize("kind", [kind for kind in known_errors().values() if kind is not LoopError])
def test_a_problem_becomes_the_error_that_was_raised(kind: type[LoopError]) -> None:
    with shaky([problem(kind.type, kind.status)]) as service, pytest.raises(LoopError) as caught:
        runs_at(service.url)
    assert type(caught.value) is kind
    assert str(caught.value) == "what and how"


def test_machine_words_are_unique() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LoopError)]
    assert set(known_errors().values()) == set(kinds)


@pytest.mark.parametrize(("status", "exit_code"), [(422, 2), (405, 2), (500, 1)])
def test_an_unknown_problem_keeps_whose_fault_it_is(status: int, exit_code: int) -> None:
    with shaky([problem("new_kind", status)]) as service, pytest.raises(LoopError) as caught:
        runs_at(service.url)
    assert caught.value.exit_code == exit_code


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (
            answer(b"<html>", "502 Bad Gateway", "text/html"),
            "answers 502 Bad Gateway; is it a driftloop service",
        ),
        (answer(json.dumps({"items": 3}).encode()), "use a client of the service's version"),
        (answer(b"not json"), "use a client of the service's version"),
    ],
    ids=["a proxy's page", "another shape", "no JSON"],
)
def test_what_is_no_answer_of_this_service_is_one_line(sent: bytes, line: str) -> None:
    with shaky([sent]) as service, pytest.raises(LoopError, match=line):
        runs_at(service.url)


def test_the_token_goes_with_every_request() -> None:
    with shaky([NO_RUNS]) as service, Client(service.url, "dl_secret") as client:
        list(client.runs.list())
    (_, _, headers) = service.requests[0]
    assert headers["authorization"] == "Bearer dl_secret"


@pytest.mark.parametrize(("name", "path"), [("a1", "a1"), ("a/b?c#d%", "a%2Fb%3Fc%23d%25"), ("", "%20")])
def test_a_name_is_one_part_of_a_path(name: str, path: str) -> None:
    assert part(name) == path
