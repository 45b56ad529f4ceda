"""Runs, as a client asks for them."""

from collections.abc import Iterator

from services.core.rest.client.connection import Connection, part
from services.core.rest.models import RunSummary, RunView


class Runs:
    """The runs of a service."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def list(self, limit: int | None = None) -> Iterator[RunSummary]:
        """Yield runs, newest first."""
        return self._connection.pages(RunSummary, "/v1/runs", limit=limit)

    def get(self, run: str) -> RunView:
        """Return a run by its id or an unambiguous beginning of it. Raises `NotFound`."""
        return self._connection.get(RunView, f"/v1/runs/{part(run)}")
