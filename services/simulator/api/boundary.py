"""What is refused before any route sees it, and what every request leaves behind: a line of the metrics.

Text with a NUL can be kept by no Postgres, so no address may hold one. An open service trusts whoever reaches it, which
is only this machine; but this machine's browser may be sent here by any web page. So an open service answers only to
a loopback name (a page that lets its own name point here, "DNS rebinding", calls us by that name), and changes something
only if the page that asks is one of its own.
"""

import ipaddress
import time
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.simulator.api.metrics import Metrics
from services.simulator.api.problems import problem

MAX_BODY_BYTES: Final = 1 << 20
"""A spec is a few kilobytes; nothing that is sent here is long."""
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Boundary:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, is_open: bool, metrics: Metrics):
        self._app = app
        self._is_open = is_open
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._answer(scope, _limited(receive), send_noting)
        finally:
            self._metrics.note(scope, status, time.perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if place := _nul_in(request):
            refusal = problem(request, 422, "bad_request", f"{place}: holds a NUL character; remove it")
        elif self._is_open and (complaint := _stranger(request)):
            refusal = problem(request, 403, "forbidden", complaint)
        else:
            await self._app(scope, receive, send)
            return
        await refusal(scope, receive, send)


def _limited(receive: Receive) -> Receive:
    """Return what receives a body only as long as it is not too long; what is sent beyond is not read."""
    size = 0

    async def receive_some() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is longer than {MAX_BODY_BYTES:,} bytes"
            )
        return message

    return receive_some


def _nul_in(request: Request) -> str | None:
    if "\0" in request.scope["path"]:
        return "path"
    return next(
        (name or "query" for name, text in request.query_params.multi_items() if "\0" in name + text), None
    )


def _stranger(request: Request) -> str | None:
    """Say why an open service does not answer this; None if it does."""
    host = request.headers.get("host", "")
    if not _is_loopback(host):
        return f"Host: this open service is only for this machine, not for {host!r}; call it by 127.0.0.1"
    origin = request.headers.get("origin")
    if request.method not in _READING and origin is not None and urlsplit(origin).netloc != host:
        return f"Origin: a page of {origin!r} may not change anything here; use a page of this service"
    return None


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
