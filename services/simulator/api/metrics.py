"""Metrics for Prometheus: what runs and shards there are, how long work has been waiting, how requests went.

Runs and shards are counted in the database when they are asked for, so every API process tells the same of them; requests
are this process's own. Reading them needs a token of scope read, like all that tells of runs (Prometheus sends one by
`authorization: {credentials_file: …}`); an open service tells everybody.
"""

from collections.abc import Iterable
from functools import cached_property

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import iter_route_contexts
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session
from starlette.types import Scope

from services.core.db import runs, shards
from services.simulator.api.auth import Reader
from services.simulator.api.state import Database

router = APIRouter(tags=["health"])

_UNMATCHED = "unmatched"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_EXAMPLE = """# HELP driftloop_runs Runs by status.
# TYPE driftloop_runs gauge
driftloop_runs{status="running"} 2.0
"""


class Metrics:
    """The requests of one application."""

    def __init__(self, app: FastAPI):
        self._app = app
        self.registry = CollectorRegistry()
        labels = ["method", "route", "status"]
        self._requests = Counter("driftloop_requests", "Requests answered.", labels, registry=self.registry)
        self._seconds = Histogram(
            "driftloop_request_seconds",
            "Seconds until an answer was sent whole; an event stream's is its life.",
            labels[:2],
            registry=self.registry,
        )

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """Count an answered request."""
        route = self._templates.get(scope.get("endpoint"), _UNMATCHED)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    @cached_property
    def _templates(self) -> dict[object, str]:
        """Return the paths of all routes, such as `/v1/runs/{run_id}`, by what answers there."""
        return {route.endpoint: str(route.path_format) for route in iter_route_contexts(self._app.routes)}


class _InDatabase(Collector):
    """Runs and shards as the database has them now."""

    def __init__(self, session: Session):
        self._session = session

    def collect(self) -> Iterable[Metric]:
        """Count."""
        found = GaugeMetricFamily("driftloop_runs", "Runs by status.", labels=["status"])
        for status, count in runs.count_by_status(self._session).items():
            found.add_metric([status], count)
        yield found
        backlog = shards.backlog(self._session)
        left = GaugeMetricFamily(
            "driftloop_shards", "Shards of running runs that are not done.", labels=["phase", "status"]
        )
        for (phase, status), count in sorted(backlog.shards.items()):
            left.add_metric([phase, status], count)
        yield left
        yield GaugeMetricFamily(
            "driftloop_oldest_due_shard_seconds",
            "How long the oldest shard that is due has been waiting for a worker; 0 if none is.",
            value=backlog.oldest_due_s,
        )


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus text",
            "content": {CONTENT_TYPE_LATEST.partition(";")[0]: {"example": _EXAMPLE}},
        }
    },
)
def get_metrics(_: Reader, request: Request, session: Database) -> Response:
    """Return runs by status, open shards by phase and status, the age of the oldest due shard, and requests."""
    in_database = CollectorRegistry()
    in_database.register(_InDatabase(session))
    metrics: Metrics = request.app.state.metrics
    text = generate_latest(in_database) + generate_latest(metrics.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
