"""Following a run: every event once, in order, over a line that breaks, until the run has ended."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from services.core.db import events, runs
from services.core.db.session import transaction
from services.core.domain.access import Scope
from services.core.domain.errors import LoopError, NotFound, ServiceUnreachable
from services.core.domain.events import EventKind
from services.core.domain.phases import RunStatus
from services.core.domain.spec import BudgetSpec
from services.core.operations import launching
from services.core.rest.client import Client, following
from tests.core.db.builders import a_run
from tests.core.rest.conftest import Service
from tests.core.rest.cutting import cut_line
from tests.core.rest.shaky import answer, shaky

WRITERS, EACH = 3, 20
CUTS = 5


def tell(engine: Engine, run_id: str, kind: EventKind = EventKind.SHARD_PROGRESS, **data: object) -> None:
    with transaction(engine) as session:
        events.append(session, run_id, kind, **data)


def succeed(engine: Engine, run_id: str) -> None:
    with transaction(engine) as session:
        runs.set_status(session, run_id, RunStatus.SUCCEEDED)
        events.append(session, run_id, EventKind.RUN_SUCCEEDED)


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("seed", [1, 2])
def test_a_cut_line_misses_and_repeats_nothing_while_several_write(service: Service, seed: int) -> None:
    run_id = a_run(service.engine)
    token = service.token(Scope.READ)

    def write() -> None:
        def one(writer: int) -> None:
            for count in range(EACH):
                tell(service.engine, run_id, writer=writer, count=count)

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(one, range(WRITERS)))
        succeed(service.engine, run_id)

    with cut_line(service.url, seed, cuts=CUTS) as line, Client(line.url, token) as client:
        writing = in_thread(write)
        seen = list(client.runs.follow(run_id))
        writing.join()
        assert line.cuts == CUTS
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    told = [(event.data["writer"], event.data["count"]) for event in seen if "writer" in event.data]
    assert sorted(told) == [(writer, count) for writer in range(WRITERS) for count in range(EACH)]
    assert seen[-1].kind is EventKind.RUN_SUCCEEDED


def test_it_begins_behind_what_was_seen(service: Service, client: Client) -> None:
    run_id = a_run(service.engine)
    succeed(service.engine, run_id)
    everything = [event.kind for event in client.runs.follow(run_id)]
    assert [event.kind for event in client.runs.follow(run_id, after=1)] == everything[1:]


def test_a_cancellation_that_was_taken_back_is_not_the_end(service: Service, client: Client) -> None:
    run_id = a_run(service.engine)
    with transaction(service.engine) as session:
        launching.cancel(session, run_id)
        launching.resume(session, run_id, BudgetSpec(), lambda _: None)
    succeed(service.engine, run_id)
    kinds = [event.kind for event in client.runs.follow(run_id)]
    assert kinds[-3:] == [EventKind.RUN_CANCELLED, EventKind.RUN_RESUMED, EventKind.RUN_SUCCEEDED]


def test_closing_the_client_ends_a_watch_in_another_thread(service: Service) -> None:
    run_id = a_run(service.engine)
    watcher = service.client()
    seen: list[EventKind] = []
    is_listening = threading.Event()

    def listen() -> None:
        for event in watcher.runs.follow(run_id):
            seen.append(event.kind)
            is_listening.set()

    watching = in_thread(listen)
    assert is_listening.wait(60)
    watcher.close()
    watching.join(60)
    assert not watching.is_alive()
    assert seen[0] is EventKind.RUN_LAUNCHED


def test_no_such_run(client: Client) -> None:
    with pytest.raises(NotFound):
        next(client.runs.follow("nosuch"))


def test_an_event_that_this_version_does_not_know_ends_it_with_the_mend() -> None:
    told = answer(b'id: 1\ndata: {"seq": 1, "kind": "run.dreamt"}\n\n', kind="text/event-stream")
    mend = r"does not understand .* use a client of the service's version"
    with shaky([told]) as newer, Client(newer.url) as client, pytest.raises(LoopError, match=mend):
        next(client.runs.follow("any"))


def test_a_service_that_stays_away_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PATIENCE_S", 0)
    with shaky([]) as nobody:
        pass
    with Client(nobody.url) as client, pytest.raises(ServiceUnreachable):
        next(client.runs.follow("any"))
