"""Is it alive, is it ready: for whoever watches the process. Both need no token, and tell nothing of what is in it."""

from typing import Literal

from fastapi import APIRouter
from redis.exceptions import RedisError
from sqlalchemy import text

from services.core.db.migrate import newest
from services.core.db.session import transaction
from services.core.domain.errors import DatabaseError, NotReady
from services.core.queue.bell import open_redis
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
    """Answer if Postgres can be reached and has this version's schema, and Redis can be reached if there is one."""
    with transaction(state.engine) as session:
        there = session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    if there != newest():
        raise DatabaseError(f"the schema is {there}, this version needs {newest()}; run `driftloop migrate`")
    if state.settings.redis_url is not None:
        _reach(state.settings.redis_url)
    return Health()


def _reach(redis_url: str) -> None:
    try:
        with open_redis(redis_url) as redis:
            redis.ping()  # pyright: ignore[reportUnknownMemberType]  # its keywords are untyped
    except RedisError as error:
        raise NotReady(
            f"Redis can't be reached ({type(error).__name__}); work goes on, but is found later"
        ) from error
