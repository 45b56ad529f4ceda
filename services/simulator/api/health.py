"""Is it alive, is it ready: for whoever watches the process. The only routes without a token."""

from typing import Literal

from fastapi import APIRouter
from sqlalchemy import text

from services.core.db.migrate import newest
from services.core.db.session import transaction
from services.core.domain.errors import DatabaseError
from services.core.rest.models import Model
from services.simulator.api.problems import documented
from services.simulator.api.state import State

router = APIRouter(tags=["health"])


class Health(Model):
    """All is well."""

    status: Literal["ok"] = "ok"


@router.get("/healthz", summary="Is the process alive?")
def healthz() -> Health:
    """Answer as long as the process can."""
    return Health()


@router.get("/readyz", summary="Can it serve?", responses=documented(503))
def readyz(state: State) -> Health:
    """Answer if Postgres can be reached and has this version's schema."""
    with transaction(state.engine) as session:
        there = session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    if there != newest():
        raise DatabaseError(f"the schema is {there}, this version needs {newest()}; run the migrations")
    return Health()
