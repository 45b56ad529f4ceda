"""Idempotency-Key: the same request with the same key is done once, and answered the same again.

What failed is not remembered, so a mended request may carry the key of the one that it mends.
"""

import hashlib
from collections.abc import Callable
from typing import Annotated, NamedTuple

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from services.core.db import idempotency
from services.core.db.idempotency import Answered, Key
from services.core.rest.models import Model
from services.simulator.api.auth import Launcher

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Any text of your own, such as a UUID. The same request with the same key within a day is done "
        "once, and answered the same again; another request with it is refused (409).",
    ),
]


class Answer(NamedTuple):
    """What a request is answered."""

    status: int
    model: Model


class Once:
    """A request that may carry a key."""

    def __init__(self, key: Key | None):
        self._key = key

    def answer(self, session: Session, make: Callable[[], Answer]) -> JSONResponse:
        """Do what is asked and answer, or answer what was answered before. Raises `StateConflict` for another request."""
        if self._key is None:
            return _response(_answered(make()))
        answered = idempotency.claim(session, self._key)
        if answered is None:
            answered = _answered(make())
            idempotency.keep(session, self._key, answered)
        return _response(answered)

    def answer_a_secret(
        self, session: Session, make: Callable[[], Answer], renew: Callable[[], Answer]
    ) -> JSONResponse:
        """Do the same for what must not be kept: the request is answered by `make`, and if it comes again by `renew`."""
        if self._key is None:
            return _response(_answered(make()))
        is_first = idempotency.claim(session, self._key) is None
        answered = _answered(make() if is_first else renew())
        if is_first:
            idempotency.keep(session, self._key, Answered(answered.status, {}))
        return _response(answered)


async def _once(request: Request, caller: Launcher, idempotency_key: IdempotencyKey = None) -> Once:
    if idempotency_key is None:
        return Once(None)
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    digest = hashlib.sha256(asked + await request.body()).hexdigest()
    return Once(Key(caller.name, idempotency_key, digest))


OnlyOnce = Annotated[Once, Depends(_once)]


def _answered(answer: Answer) -> Answered:
    return Answered(answer.status, answer.model.model_dump(mode="json"))


def _response(answered: Answered) -> JSONResponse:
    return JSONResponse(answered.response, answered.status)
