"""Events over REST: a run watched as it happens, as server-sent events.

Every event carries its number as `id`; whoever comes back with `Last-Event-ID` (browsers do by themselves) or
`after` misses nothing and sees nothing twice. The stream says `end` when the run has ended and all is told, and
`reconnect` after some minutes, so that no connection lives for ever.

While nothing happens the stream holds no database connection: it looks a few times a second, briefly.
"""

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, NamedTuple

import anyio
from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from sqlalchemy import Engine

from services.core.db import events, runs
from services.core.db.events import EventRecord
from services.core.db.session import transaction
from services.core.domain.errors import DatabaseError, NotFound
from services.core.domain.phases import RunStatus
from services.core.rest.models import EventView
from services.simulator.api.auth import Reader
from services.simulator.api.paging import BIGGEST
from services.simulator.api.problems import documented
from services.simulator.api.state import State

router = APIRouter(tags=["events"])

POLL_S = 0.3
LIFETIME_S = 300.0
"""How long a stream lives at most."""
RETRY_MS = 1000
AT_ONCE = 500
SILENT_S = 15.0
"""After so long without an event a comment is sent, so that nobody between takes the connection for dead."""
MEDIA_TYPE = "text/event-stream"
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
Number = Annotated[int, Query(ge=0, le=BIGGEST, description="Only events behind this number.")]
_EXAMPLE = """id: 17
event: shard.progress
data: {"run":"3f2a91bc","seq":17,"kind":"shard.progress","data":{"round":1,"phase":"simulate","shard":0,"units_done":64,"units_total":100},"created_at":"2026-11-23T10:00:00Z"}

event: end
data: {"run":"3f2a91bc","status":"succeeded"}

"""


class _Watched(NamedTuple):
    run_id: str
    seq: int
    """The newest event that the watcher has seen."""


class _Look(NamedTuple):
    status: RunStatus | None
    """None if the run was deleted."""
    found: tuple[EventRecord, ...]


def _watched(
    state: State,
    run_id: str,
    after: Number = 0,
    last_event_id: Annotated[
        int | None,
        Header(ge=0, le=BIGGEST, description="The `id` of the last event seen; it goes before `after`."),
    ] = None,
) -> _Watched:
    """Find the run before the stream begins, so that a wrong id is a 404."""
    with transaction(state.engine) as session:
        run = runs.get_run(session, run_id)
    return _Watched(run.id, after if last_event_id is None else last_event_id)


@router.get(
    "/runs/{run_id}/events",
    summary="Watch a run",
    response_class=StreamingResponse,
    responses={
        **documented(404),
        200: {
            "description": "The run's events as they happen",
            "content": {MEDIA_TYPE: {"example": _EXAMPLE}},
        },
    },
)
def watch_run(_: Reader, state: State, watched: Annotated[_Watched, Depends(_watched)]) -> StreamingResponse:
    """Stream a run's events (server-sent events), from the first one or from where the watcher was."""
    return StreamingResponse(_told(state.engine, watched), media_type=MEDIA_TYPE, headers=_HEADERS)


async def _told(engine: Engine, watched: _Watched) -> AsyncIterator[bytes]:
    run_id, seq = watched
    began = spoke = time.monotonic()
    while time.monotonic() - began < LIFETIME_S:
        look = await to_thread.run_sync(_look, engine, run_id, seq)
        for event in look.found:
            seq = event.seq
            yield _line(event)
        if len(look.found) == AT_ONCE:
            continue
        if look.status is not RunStatus.RUNNING:
            yield _word("end", run=run_id, status=look.status or "deleted")
            return
        if look.found:
            spoke = time.monotonic()
        elif time.monotonic() - spoke > SILENT_S:
            spoke = time.monotonic()
            yield KEEPALIVE_COMMENT
        await anyio.sleep(POLL_S)
    yield _word("reconnect", run=run_id, after=seq)


def _look(engine: Engine, run_id: str, seq: int) -> _Look:
    """Look once; the status is read first, so that an ended run's last event is among those read after it.

    A database that is away for a moment has nothing new.
    """
    try:
        with transaction(engine) as session:
            status = runs.get_run(session, run_id).status
            return _Look(status, events.after(session, run_id, seq, AT_ONCE))
    except NotFound:
        return _Look(None, ())
    except DatabaseError:
        return _Look(RunStatus.RUNNING, ())


def _line(event: EventRecord) -> bytes:
    view = EventView(
        run=event.run_id, seq=event.seq, kind=event.kind, data=event.data, created_at=event.created_at
    )
    return format_sse_event(id=str(event.seq), event=event.kind, data_str=view.model_dump_json())


def _word(event: str, **data: Any) -> bytes:
    return format_sse_event(event=event, data_str=json.dumps(data), retry=RETRY_MS)
