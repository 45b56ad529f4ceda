"""Trajectories, as a client asks for them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from services.core.domain.selection import Label
from services.core.domain.trajectory import TrajectoryStatus, UserKind
from services.core.rest.client.connection import Connection
from services.core.rest.trajectories import TrajectorySummary, TrajectoryView

OLDEST_FIRST = "id"
BEST_FIRST = "-score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which trajectories: those that have one of the values of every field; an empty field means any."""

    run: Sequence[str] = ()
    """Ids, or unambiguous beginnings of ids."""
    round: Sequence[int] = ()
    scenario: Sequence[str] = ()
    user_kind: Sequence[UserKind] = ()
    status: Sequence[TrajectoryStatus] = ()
    policy: Sequence[str] = ()
    label: Sequence[Label] = ()
    """Only those selected under one of these labels."""
    score_from: float | None = None
    score_to: float | None = None
    q: str | None = None
    """A web search over what both sides said: `plan -doctor "call a friend"`."""

    def query(self) -> dict[str, Any]:
        """Return the filter as query parameters."""
        return asdict(self)


class Trajectories:
    """The conversations of a service."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def list(
        self, which: Which, sort: str = OLDEST_FIRST, limit: int | None = None
    ) -> Iterator[TrajectorySummary]:
        """Yield trajectories by `id` or `score`, with `-` for falling. Raises `NotFound`, `SpecError`."""
        query = which.query() | {"sort": sort}
        return self._connection.pages(TrajectorySummary, "/v1/trajectories", query, limit)

    def get(self, trajectory_id: int) -> TrajectoryView:
        """Return a whole conversation. Raises `NotFound`."""
        return self._connection.get(TrajectoryView, f"/v1/trajectories/{trajectory_id}")
