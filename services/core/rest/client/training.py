"""What trained a policy and what came of it, as a client asks for it: selections, adapters, policies."""

from collections.abc import Iterator, Sequence

from services.core.domain.selection import Label
from services.core.rest.client.connection import Connection, part
from services.core.rest.policies import AdapterSummary, AdapterView, PolicyView
from services.core.rest.selections import SelectionItem


class Selections:
    """Which conversations trained, and why."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def list(
        self, run: str, round_: int, *, label: Sequence[Label] = (), limit: int | None = None
    ) -> Iterator[SelectionItem]:
        """Yield a round's chosen conversations by rank, with their training rows; none before its selection.

        Raises `NotFound`.
        """
        path = f"/v1/runs/{part(run)}/rounds/{round_}/selection"
        return self._connection.pages(SelectionItem, path, {"label": label}, limit)


class Adapters:
    """What was trained."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def list(self, run: str) -> tuple[AdapterSummary, ...]:
        """Return a run's adapters, by round. Raises `NotFound`."""
        return self._connection.whole(AdapterSummary, f"/v1/runs/{part(run)}/adapters")

    def get(self, key: str) -> AdapterView:
        """Return how an adapter came about, with its lineage. Raises `NotFound`."""
        return self._connection.get(AdapterView, f"/v1/adapters/{part(key)}")


class Policies:
    """What was published."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def list(self, run: Sequence[str] = (), limit: int | None = None) -> Iterator[PolicyView]:
        """Yield policies by name, of some runs or of all. Raises `NotFound`."""
        return self._connection.pages(PolicyView, "/v1/policies", {"run": run}, limit)
