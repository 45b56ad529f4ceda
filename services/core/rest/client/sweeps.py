"""Sweeps and plans, as a client asks for them."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.core.rest.client.connection import Connection, part
from services.core.rest.launches import LaunchedSweep, Plan, SweepSummary, SweepView


class Sweeps:
    """The sweeps of a service: runs that were launched together."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def list(self, limit: int | None = None) -> Iterator[SweepSummary]:
        """Yield sweeps, newest first."""
        return self._connection.pages(SweepSummary, "/v1/sweeps", limit=limit)

    def get(self, sweep: str) -> SweepView:
        """Return a sweep with its runs. Raises `NotFound`."""
        return self._connection.get(SweepView, f"/v1/sweeps/{part(sweep)}")

    def launch(self, spec: Mapping[str, Any], *, new: bool = False) -> LaunchedSweep:
        """Launch a run for every combination of a spec's swept values; `new` repeats finished ones.

        Raises `SpecError`.
        """
        return self._connection.post(LaunchedSweep, "/v1/sweeps", spec, {"new": new})

    def plan(self, spec: Mapping[str, Any], *, new: bool = False) -> Plan:
        """Say what a spec, with or without a sweep, would come to; nothing is started. Raises `SpecError`."""
        return self._connection.post(Plan, "/v1/plans", spec, {"new": new})
