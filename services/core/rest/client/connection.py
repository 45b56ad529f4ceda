"""A service over the wire: requests, answers as models, and problems as the errors that the service raised.

What is asked again after a broken connection is only what may be: reading, and a POST under an Idempotency-Key, which the
service answers the same way however often it comes. A connection that was refused carried nothing, so anything is asked
again after it. A service that stays away is a `ServiceUnreachable` that names it.
"""

import socket
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import ValidationError

from services.core.domain.errors import LoopError, ServiceUnreachable, SpecError, known_errors
from services.core.rest.models import Model, Page, Problem

Answer = TypeVar("Answer", bound=Model)
Query = Mapping[str, Any]

_WAITS_S = (0.2, 1.0)
"""Before the second and the third try."""
_SILENCE_S = 300.0
"""How long an answer may take to begin or to go on: a report over many runs takes its time."""
_PAGE = 200
_PREFIX = "urn:driftloop:"


class Connection:
    """How to ask one service. Safe to use from several threads."""

    def __init__(self, http: httpx2.Client, place: str):
        self._http = http
        self._place = place
        self._streams: set[httpx2.Response] = set()
        self.is_closed = False

    def get(self, kind: type[Answer], path: str, query: Query | None = None) -> Answer:
        """Read one thing. Raises `LoopError`."""
        return _read(kind, self._ask("GET", path, query=query))

    def post(self, kind: type[Answer], path: str, body: Any = None, query: Query | None = None) -> Answer:
        """Make something or change something, once. Raises `LoopError`."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return _read(kind, self._ask("POST", path, body, query, headers))

    def delete(self, path: str, query: Query | None = None) -> None:
        """Remove something. Raises `LoopError`."""
        self._ask("DELETE", path, query=query)

    def pages(
        self, item: type[Answer], path: str, query: Query | None = None, limit: int | None = None
    ) -> Iterator[Answer]:
        """Yield a list's items, page after page; at most `limit`. Raises `LoopError`."""
        query = dict(query or {})
        while limit is None or limit > 0:
            query["limit"] = _PAGE if limit is None else min(limit, _PAGE)
            page = self.get(Page[item], path, query)
            yield from page.items
            if page.next_cursor is None:
                return
            limit = None if limit is None else limit - len(page.items)
            query["cursor"] = page.next_cursor

    def whole(self, item: type[Answer], path: str) -> tuple[Answer, ...]:
        """Return the items of a list that always comes in one page. Raises `LoopError`."""
        return self.get(Page[item], path).items

    @contextmanager
    def stream(
        self,
        path: str,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        silence_s: float = _SILENCE_S,
    ) -> Generator[httpx2.Response]:
        """Open a long answer, as a response to read piece by piece. Raises `LoopError`, also while it is read."""
        request = self._http.build_request(
            "GET", path, params=_given(query), headers=headers, timeout=_timeout(silence_s)
        )
        response = self._send(request, stream=True)
        self._streams.add(response)
        try:
            yield response
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error
        finally:
            self._streams.discard(response)
            response.close()

    def save(
        self, path: str, target: Path, query: Query | None = None, tell: Callable[[int], object] | None = None
    ) -> Path:
        """Write a long answer to a file, which appears when it is whole. Raises `LoopError`.

        `tell` is told how many bytes are there.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")
        try:
            with self.stream(path, query) as response, partial.open("wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)
                    if tell is not None:
                        tell(file.tell())
            return partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def close(self) -> None:
        """End all connections; a thread that is waiting on one sees it break off."""
        self.is_closed = True
        for response in list(self._streams):
            with suppress(OSError):
                response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._http.close()

    def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        return self._send(
            self._http.build_request(method, path, params=_given(query), json=body, headers=headers)
        )

    def _send(self, request: httpx2.Request, *, stream: bool = False) -> httpx2.Response:
        may_repeat = request.method == "GET" or "Idempotency-Key" in request.headers
        for wait_s in (*_WAITS_S, None):
            if self.is_closed:
                raise ServiceUnreachable("this client is closed")
            try:
                return _checked(self._http.send(request, stream=stream))
            except httpx2.TransportError as error:
                was_refused = isinstance(error, httpx2.ConnectError)
                if wait_s is None or not (may_repeat or was_refused):
                    raise self._unreachable(error) from error
            time.sleep(wait_s)
        raise AssertionError("unreachable")

    def _unreachable(self, error: httpx2.TransportError) -> ServiceUnreachable:
        why = " ".join(str(error).split()) or type(error).__name__
        return ServiceUnreachable(
            f"no service answers at {self._place} ({why}); start one with `driftloop serve`, "
            "or check DRIFTLOOP_URL"
        )


def _timeout(silence_s: float) -> httpx2.Timeout:
    return httpx2.Timeout(connect=10, read=silence_s, write=60, pool=10)


TIMEOUT = _timeout(_SILENCE_S)


def part(name: str | int) -> str:
    """Return a name as one part of a path, whatever is in it."""
    return quote(str(name), safe="") or "%20"


def _given(query: Query | None) -> dict[str, Any]:
    return {name: value for name, value in (query or {}).items() if value is not None}


def understood(kind: type[Answer], said: str | bytes, response: httpx2.Response) -> Answer:
    """Return what a response says. Raises `LoopError` if it says what this version does not know."""
    try:
        return kind.model_validate_json(said, strict=False)
    except ValidationError as error:
        raise LoopError(
            f"{response.request.url} answers what this version does not understand "
            f"({error.error_count()} fields); use a client of the service's version"
        ) from error


def _read(kind: type[Answer], response: httpx2.Response) -> Answer:
    return understood(kind, response.content, response)


def _checked(response: httpx2.Response) -> httpx2.Response:
    if response.is_success:
        return response
    response.read()
    response.close()
    raise _error(response)


def _error(response: httpx2.Response) -> LoopError:
    """Return the error that the service raised, by the problem's type; what others answer, by its status."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        said = f"{response.request.url} answers {response.status_code} {response.reason_phrase}"
        return LoopError(f"{said}; is it a driftloop service?")
    raised = known_errors().get(problem.type.removeprefix(_PREFIX))
    if raised is None:
        raised = SpecError if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR else LoopError
    return raised(problem.detail)
