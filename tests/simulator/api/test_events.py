"""Watching a run over real HTTP: whatever cuts the watcher off, it misses nothing and sees nothing twice."""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx2
import pytest
from sqlalchemy import Engine

from services.app.serving import public_listener, served
from services.core.db import events as events_table
from services.core.db import runs
from services.core.db.session import transaction
from services.core.domain.events import EventKind
from services.core.domain.phases import RunStatus
from services.simulator.api import events
from tests.core.db.builders import a_run, close_next
from tests.simulator.api.service import Api


class Told(NamedTuple):
    """A server-sent event."""

    id: int | None
    event: str
    data: Any


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    """The API behind a real server."""
    listener = public_listener("127.0.0.1", 0)
    port = listener.getsockname()[1]
    with served(api.client.app, listener):
        yield f"http://127.0.0.1:{port}"


def parsed(block: str) -> Told | None:
    """One event, or None for a comment that only keeps the connection alive."""
    fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
    if "event" not in fields:
        return None
    return Told(int(fields["id"]) if "id" in fields else None, fields["event"], json.loads(fields["data"]))


def read(lines: Iterator[bytes]) -> Iterator[Told]:
    """What a browser makes of a stream: an event is there when its blank line is; a torn one is none."""
    kept = b""
    for piece in lines:
        kept += piece
        while b"\n\n" in kept:
            block, _, kept = kept.partition(b"\n\n")
            if told := parsed(block.decode()):
                yield told


HTTP = httpx2.Client(timeout=60)


@contextmanager
def watching(url: str, run_id: str, **headers: str) -> Iterator[Iterator[Told]]:
    with HTTP.stream("GET", f"{url}/v1/runs/{run_id}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield read(answer.iter_raw())


def cut_off(url: str, run_id: str, seed: int) -> list[Told]:
    """Watch a run to its end, losing the connection after random numbers of bytes."""
    draw = random.Random(seed)
    seen: list[Told] = []
    while True:
        last = next((told.id for told in reversed(seen) if told.id is not None), None)
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        with HTTP.stream("GET", f"{url}/v1/runs/{run_id}/events", headers=headers) as answer:
            seen += read(some(answer.iter_raw(), draw.randint(1, 3000)))
        if seen and seen[-1].event == "end":
            return seen


def some(pieces: Iterator[bytes], most: int) -> Iterator[bytes]:
    """Give the first bytes only."""
    for piece in pieces:
        yield piece[:most]
        most -= len(piece)
        if most <= 0:
            return


def write(engine: Engine, run_id: str, writer: int, count: int) -> None:
    """Write events as a worker does, each in a transaction that takes its time."""
    draw = random.Random(writer)
    for number in range(count):
        with transaction(engine) as session:
            events_table.append(session, run_id, EventKind.SHARD_PROGRESS, shard=writer, units_done=number)
            time.sleep(draw.random() / 200)


def succeed(engine: Engine, run_id: str) -> None:
    with transaction(engine) as session:
        runs.set_status(session, run_id, RunStatus.SUCCEEDED)
        events_table.append(session, run_id, EventKind.RUN_SUCCEEDED)


def test_a_watcher_that_is_cut_off_misses_and_repeats_nothing(
    api: Api, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "POLL_S", 0.01)
    monkeypatch.setattr(events, "AT_ONCE", 7)
    run_id = a_run(api.engine)
    found: dict[int, list[Told]] = {}
    watchers = [
        threading.Thread(target=lambda seed=seed: found.update({seed: cut_off(url, run_id, seed)}))
        for seed in range(3)
    ]
    writers = [threading.Thread(target=write, args=(api.engine, run_id, writer, 100)) for writer in range(4)]
    for thread in watchers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    succeed(api.engine, run_id)
    for thread in watchers:
        thread.join()
    with transaction(api.engine) as session:
        written = events_table.after(session, run_id, 0, 1000)
    assert len(written) == 2 + 400 + 1  # launched and owed, written, succeeded
    for seen in found.values():
        assert [told.id for told in seen[:-1]] == list(range(1, len(written) + 1))
        assert [told.data["data"] for told in seen[:-1]] == [dict(event.data) for event in written]
        assert seen[-1] == Told(None, "end", {"run": run_id, "status": "succeeded"})


def test_an_event_is_as_described(api: Api, url: str) -> None:
    run_id = a_run(api.engine)
    with watching(url, run_id) as told:
        first = next(told)
    assert (first.id, first.event) == (1, "run.launched")
    assert first.data.keys() == {"run", "seq", "kind", "data", "created_at"}
    assert (first.data["run"], first.data["seq"], first.data["kind"]) == (run_id, 1, "run.launched")


def test_an_ended_run_s_stream_ends_at_once(api: Api, url: str) -> None:
    run_id = a_run(api.engine, evaluation_items=1, concurrency={"shard_size": 10})
    while close_next(api.engine):
        pass
    with watching(url, run_id) as told:
        seen = [one.event for one in told]
    assert seen[-2:] == ["run.succeeded", "end"]
    with watching(url, run_id, **{"Last-Event-ID": str(len(seen) - 1)}) as told:
        assert [one.event for one in told] == ["end"]


def test_a_stream_ends_when_its_run_is_cancelled_or_deleted(api: Api, url: str) -> None:
    run_id = a_run(api.engine)
    with watching(url, run_id) as told:
        assert [next(told).event, next(told).event] == ["run.launched", "phase.owed"]
        assert HTTP.post(f"{url}/v1/runs/{run_id}/cancel").status_code == 200
        assert [(one.event, one.data.get("status")) for one in told] == [
            ("run.cancelled", None),
            ("end", "cancelled"),
        ]
    HTTP.post(f"{url}/v1/runs/{run_id}/resume")
    with watching(url, run_id, **{"Last-Event-ID": "4"}) as told, transaction(api.engine) as session:
        runs.delete_run(session, run_id)
        session.commit()
        assert next(told) == Told(None, "end", {"run": run_id, "status": "deleted"})


def test_a_stream_does_not_live_for_ever(api: Api, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LIFETIME_S", 0.5)
    run_id = a_run(api.engine)
    with watching(url, run_id) as told:
        assert list(told)[-1] == Told(None, "reconnect", {"run": run_id, "after": 2})


def test_a_waiting_stream_holds_no_connection(api: Api, url: str) -> None:
    run_id = a_run(api.engine)
    with transaction(api.engine):
        pass
    with watching(url, run_id) as told:
        next(told)
        held = [api.engine.pool.checkedout() for _ in range(50) if not time.sleep(0.02)]  # type: ignore[attr-defined]
    assert held.count(0) > len(held) / 2


def test_a_lost_watcher_is_noticed(api: Api, url: str) -> None:
    """A stream whose watcher is gone is not written to for ever."""
    run_id = a_run(api.engine)
    for _ in range(5):
        with watching(url, run_id) as told:
            next(told)
    deadline = time.monotonic() + 60
    line = 'driftloop_requests_total{method="GET",route="/v1/runs/{run_id}/events",status="200"} 5.0'
    while line not in HTTP.get(f"{url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("place", "headers", "status"),
    [
        *(("nosuch", {}, 404), ("RUN", {"Last-Event-ID": "x"}, 422), ("RUN", {"Last-Event-ID": "-1"}, 422)),
        ("RUN?after=99999999999999999999", {}, 422),
    ],
)
def test_a_wrong_start_is_a_problem_and_no_stream(
    api: Api, place: str, headers: dict[str, str], status: int
) -> None:
    name, _, query = place.replace("RUN", a_run(api.engine)).partition("?")
    answer = api.client.get(f"/v1/runs/{name}/events?{query}", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_after_and_last_event_id_skip_what_was_seen(api: Api, url: str) -> None:
    run_id = a_run(api.engine)
    write(api.engine, run_id, 0, 5)
    succeed(api.engine, run_id)
    for query, headers in (
        ("?after=5", {}),
        ("", {"Last-Event-ID": "5"}),
        ("?after=1", {"Last-Event-ID": "5"}),
    ):
        answer = HTTP.get(f"{url}/v1/runs/{run_id}/events{query}", headers=headers)
        ids = [told.id for told in read(iter([answer.content]))]
        assert ids == [6, 7, 8, None]
