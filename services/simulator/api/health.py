"""Is it alive, is it ready: for whoever watches the process. The only routes without a token."""

from typing import Literal

from fastapi import APIRouter

from services.core.db.migrate import check_schema
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
    check_schema(state.engine)
    return Health()
