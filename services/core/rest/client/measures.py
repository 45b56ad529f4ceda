"""Drift, as a client asks for it."""

from services.core.rest.client.connection import Connection, part
from services.core.rest.measures import DriftView


class Measures:
    """What a service has measured."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def drift(self, run: str) -> DriftView:
        """Return a run's measures of every measured round, and their changes. Raises `NotFound`."""
        return self._connection.get(DriftView, f"/v1/runs/{part(run)}/drift")
