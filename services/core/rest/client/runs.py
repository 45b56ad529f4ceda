"""Runs, as a client asks for them: launched, watched, stopped, resumed, removed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.core.domain.complaints import fit
from services.core.domain.phases import PhaseName, RunStatus, ShardStatus
from services.core.rest.client.connection import Connection, part
from services.core.rest.client.following import events_of
from services.core.rest.launches import LaunchedRun, Rejudged, Resumption
from services.core.rest.models import EventView, PhaseView, RoundView, RunSummary, RunView, ShardView


class Runs:
    """The runs of a service."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def list(
        self, *, status: Sequence[RunStatus] = (), name: Sequence[str] = (), limit: int | None = None
    ) -> Iterator[RunSummary]:
        """Yield runs, newest first."""
        query = {"status": status, "name": name}
        return self._connection.pages(RunSummary, "/v1/runs", query, limit)

    def get(self, run: str) -> RunView:
        """Return a run by its id or an unambiguous beginning of it. Raises `NotFound`."""
        return self._connection.get(RunView, _path(run))

    def launch(self, spec: Mapping[str, Any], *, new: bool = False) -> LaunchedRun:
        """Create the run of a spec, go on with its unfinished run, or show its finished one.

        `new` repeats a finished one. Raises `SpecError`.
        """
        return self._connection.post(LaunchedRun, "/v1/runs", spec, {"new": new})

    def clone(self, run: str, changes: Mapping[str, Any], *, new: bool = False) -> LaunchedRun:
        """Launch a run's spec with some fields changed. Raises `NotFound`, `SpecError`."""
        return self._connection.post(LaunchedRun, f"{_path(run)}/clone", changes, {"new": new})

    def cancel(self, run: str) -> RunView:
        """Stop a run, keeping everything. Raises `NotFound`, `StateConflict`."""
        return self._connection.post(RunView, f"{_path(run)}/cancel")

    def resume(self, run: str, *, budget: Mapping[str, float] | None = None) -> RunView:
        """Let a cancelled or failed run go on, or one that is out of budget with a larger one.

        `budget` has new limits (`tokens`, `usd`, `hours`); the others stay. Raises `NotFound`, `StateConflict`, `SpecError`.
        """
        # Checked here, too: JSON has no way to say some of the numbers that are none.
        how = fit(Resumption, {"budget": dict(budget or {})}).model_dump(exclude_none=True)
        return self._connection.post(RunView, f"{_path(run)}/resume", how)

    def rejudge(self, run: str, round: int) -> Rejudged:  # noqa: A002  # the route's name
        """Ask again what failed in a round's measurement. Raises `NotFound`, `StateConflict`."""
        return self._connection.post(Rejudged, f"{_path(run)}/rounds/{round}/rejudge")

    def delete(self, run: str) -> None:
        """Delete a run that is not running, by its full id, for good. Raises `NotFound`, `StateConflict`."""
        self._connection.delete(_path(run))

    def rounds(self, run: str) -> tuple[RoundView, ...]:
        """Return what each begun round made."""
        return self._connection.whole(RoundView, f"{_path(run)}/rounds")

    def phases(self, run: str) -> tuple[PhaseView, ...]:
        """Return the phases that were owed so far, with their progress."""
        return self._connection.whole(PhaseView, f"{_path(run)}/phases")

    def shards(
        self,
        run: str,
        *,
        round: Sequence[int] = (),  # noqa: A002  # the filter's name
        phase: Sequence[PhaseName] = (),
        status: Sequence[ShardStatus] = (),
    ) -> Iterator[ShardView]:
        """Yield the parts that workers work."""
        query = {"round": round, "phase": phase, "status": status}
        return self._connection.pages(ShardView, f"{_path(run)}/shards", query)

    def follow(self, run: str, after: int = 0) -> Iterator[EventView]:
        """Yield what happens to a run, behind event number `after`, as it happens, until the run has ended.

        A line that breaks is taken up where it broke: nothing is missed, nothing comes twice. Raises `NotFound`;
        `ServiceUnreachable` if the service stays away.
        """
        return events_of(self._connection, f"{_path(run)}/events", after)


def _path(run: str) -> str:
    return f"/v1/runs/{part(run)}"
