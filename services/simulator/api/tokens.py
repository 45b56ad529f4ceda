"""Tokens over REST: who may do what. The secret is in the answer that makes it, and nowhere else."""

from dataclasses import asdict

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from services.core.db import tokens
from services.core.rest.models import Page
from services.core.rest.tokens import MadeToken, NewToken, TokenView
from services.simulator.api.auth import Admin
from services.simulator.api.idempotency import Answer, OnlyOnce
from services.simulator.api.problems import documented
from services.simulator.api.state import Database

router = APIRouter(prefix="/tokens", tags=["tokens"])


@router.post("", status_code=201, summary="Make a token", response_model=MadeToken, responses=documented(409))
def make_token(_: Admin, once: OnlyOnce, session: Database, new: NewToken) -> JSONResponse:
    """Make a token and return its secret, this once. A name that is in use is refused (409).

    The same request with the same Idempotency-Key is answered with another secret, in place of one that was not read.
    """

    def made(secret: str) -> Answer:
        return Answer(201, MadeToken(**asdict(tokens.get(session, new.name)), token=secret))

    return once.answer_a_secret(
        session,
        lambda: made(tokens.create(session, new.name, new.scope)),
        lambda: made(tokens.renew(session, new.name)),
    )


@router.get("", summary="List tokens, oldest first")
def list_tokens(_: Admin, session: Database) -> Page[TokenView]:
    """Return all tokens, without their secrets."""
    return Page(items=tuple(TokenView(**asdict(token)) for token in tokens.list_tokens(session)))


@router.delete("/{name}", status_code=204, summary="Revoke a token", responses=documented(404))
def revoke_token(_: Admin, session: Database, name: str) -> Response:
    """Revoke a token: from now on nobody can use it."""
    tokens.revoke(session, name)
    return Response(status_code=204)
