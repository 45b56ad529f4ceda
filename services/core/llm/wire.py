"""Calling a model server over HTTP: one pool of connections, one layer of retries, failures by cause.

What may pass is asked again: a connection that is refused or breaks, 429 and 5xx. Pauses grow and are jittered, and are at
least what the server's Retry-After says, until the outage has lasted `Patience.outage_s`. Any other answer is the server's
word. An answer that does not come within `Patience.answer_s` is not asked for again: the server may still be at it.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import aiohttp
import structlog

from services.core.domain.chat import clean
from services.core.domain.errors import ProviderError

BeforeTry = Callable[[], Awaitable[None]]
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0
TELL_EVERY_S = 10.0
# Servers close idle connections after about five seconds (uvicorn's default); what is older is not worth a try.
_IDLE_S = 4.0
_QUOTED = 300

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what."""

    connect_s: float = 10.0
    answer_s: float = 900.0
    """Nothing comes before a long generation, perhaps behind many others, has ended."""
    outage_s: float = 180.0
    """A server that is restarted with a large model is back by then."""


class Pauses:
    """How long to wait after each failure of one call; the outage begins with the first."""

    def __init__(self, outage_s: float):
        self._outage_s = outage_s
        self._pause_s = FIRST_PAUSE_S
        self._give_up_at: float | None = None

    def next_s(self, at_least_s: float = 0.0) -> float | None:
        """Return how long to wait before the next try, or None if the outage has lasted too long."""
        now = time.monotonic()
        if self._give_up_at is None:
            self._give_up_at = now + self._outage_s
        wait_s = max(self._pause_s * random.uniform(0.5, 1), at_least_s)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return None if now + wait_s > self._give_up_at else wait_s


class Answer(NamedTuple):
    """What a server said."""

    status: int
    body: str

    @property
    def is_ok(self) -> bool:
        """Tell whether the server did what it was asked."""
        return self.status < HTTPStatus.BAD_REQUEST

    @property
    def complaint(self) -> str:
        """Return what an error says, as OpenAI's, vLLM's or FastAPI's servers put it, short and printable."""
        return clean(" ".join(_message(self.body).split())[:_QUOTED]) or HTTPStatus(self.status).phrase


class _Passing(NamedTuple):
    """A failure that may pass, and what the server wants waited."""

    error: ProviderError
    retry_after_s: float = 0.0


class Wire:
    """HTTP to one server. Safe for many tasks of one event loop; one loop at a time, which closes it."""

    def __init__(self, url: str, patience: Patience, headers: Mapping[str, str] | None = None):
        self.url = url.rstrip("/").removesuffix("/v1")
        self._patience = patience
        self._headers = headers
        self._told_at = -TELL_EVERY_S
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, path: str) -> Answer:
        """GET a path. Raises `ProviderError` if no answer can be had."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: dict[str, Any], before_try: BeforeTry | None = None) -> Answer:
        """POST JSON to a path, each try after `before_try`. Raises `ProviderError` if no answer can be had."""
        return await self._ask("POST", path, body, before_try)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._session is not None:
            await self._session.close()
        self._session = None

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, before_try: BeforeTry | None = None
    ) -> Answer:
        pauses = Pauses(self._patience.outage_s)
        while True:
            if before_try is not None:
                await before_try()
            outcome = await self._try(method, path, body)
            if isinstance(outcome, Answer):
                return outcome
            pause_s = pauses.next_s(outcome.retry_after_s)
            if pause_s is None:
                raise outcome.error
            self._tell(outcome.error)
            await asyncio.sleep(pause_s)

    def _tell(self, error: ProviderError) -> None:
        # Whatever is in flight fails together; one line says it.
        if time.monotonic() - self._told_at > TELL_EVERY_S:
            self._told_at = time.monotonic()
            log.warning("a model server does not answer; asking again", error=str(error))

    async def _try(self, method: str, path: str, body: dict[str, Any] | None) -> Answer | _Passing:
        url = self.url + path
        try:
            async with self._open().request(method, url, json=body) as response:
                answer = Answer(response.status, await response.text(errors="replace"))
                return self._sorted(url, answer, response.headers.get("Retry-After"))
        except aiohttp.ConnectionTimeoutError as error:
            return _Passing(ProviderError(f"{url}: {error or 'no connection'}", "unreachable"))
        except TimeoutError as error:
            raise ProviderError(f"{url}: no answer in {self._patience.answer_s:g} s", "timeout") from error
        except aiohttp.ClientError as error:
            return _Passing(ProviderError(f"{url}: {error or type(error).__name__}", "unreachable"))

    def _sorted(self, url: str, answer: Answer, retry_after: str | None) -> Answer | _Passing:
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            cause = "rate_limited"
        elif answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            cause = "server_error"
        else:
            return answer
        return _Passing(
            ProviderError(f"{url}: {answer.status}: {answer.complaint}", cause), _wait_s(retry_after)
        )

    def _open(self) -> aiohttp.ClientSession:
        # A pool belongs to its loop; a new loop means that the old one has ended, and its connections with it.
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                # How much is in flight is decided by callers.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=self._patience.connect_s, sock_read=self._patience.answer_s
                ),
            )
        return self._session


def _wait_s(retry_after: str | None) -> float:
    """Return what a Retry-After header asks for: seconds, or a date."""
    if retry_after is None:
        return 0.0
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _message(body: str) -> str:
    try:
        said: Any = json.loads(body)
    except ValueError:
        return body
    for key in ("error", "message", "detail"):
        if isinstance(said, dict):
            said = said.get(key, said)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return said if isinstance(said, str) else body
