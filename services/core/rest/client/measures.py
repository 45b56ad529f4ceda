"""What was measured, as a client asks for it: drift, held-out conversations, evaluations and their verdicts."""

from collections.abc import Iterator, Sequence

from services.core.domain.verdict import Benchmark
from services.core.rest.client.connection import Connection, part
from services.core.rest.evaluations import EvaluationView, VerdictView
from services.core.rest.held_out import HeldOutView
from services.core.rest.measures import DriftView, PolicyDriftView


class Measures:
    """How measures move."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def drift(self, run: str) -> DriftView:
        """Return a run's measures of every measured round, and their changes. Raises `NotFound`."""
        return self._connection.get(DriftView, f"/v1/runs/{part(run)}/drift")

    def between(self, base: str, other: str) -> PolicyDriftView:
        """Return the changes from one policy to another, paired by item.

        Raises `NotFound`; `StateConflict` if the two were not measured in the same way.
        """
        return self._connection.get(PolicyDriftView, "/v1/drift", {"base": base, "other": other})

    def held_out(self, run: str, round_a: int = 0, round_b: int | None = None) -> Iterator[HeldOutView]:
        """Yield pages of held-out conversations side by side, each with the change of the targeting gap. Raises `NotFound`."""
        query: dict[str, int | str | None] = {"round_a": round_a, "round_b": round_b}
        while True:
            page = self._connection.get(HeldOutView, f"/v1/runs/{part(run)}/held-out", query)
            yield page
            if page.next_cursor is None:
                return
            query |= {"round_b": page.round_b, "cursor": page.next_cursor}  # a round may be done meanwhile


class Evaluations:
    """Policies measured, and the verdicts that measures are computed from."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def list(self, run: str) -> tuple[EvaluationView, ...]:
        """Return the evaluation of each round of a run, by round. Raises `NotFound`."""
        return self._connection.whole(EvaluationView, f"/v1/runs/{part(run)}/evaluations")

    def get(self, evaluation: int) -> EvaluationView:
        """Return whom an evaluation measures, how far it is, and every measure. Raises `NotFound`."""
        return self._connection.get(EvaluationView, f"/v1/evaluations/{evaluation}")

    def verdicts(
        self,
        evaluation: int,
        *,
        benchmark: Sequence[Benchmark] = (),
        subset: Sequence[str] = (),
        outcome: Sequence[str] = (),
        limit: int | None = None,
    ) -> Iterator[VerdictView]:
        """Yield verdicts by benchmark, subset, item and repeat. Raises `NotFound`."""
        query = {"benchmark": benchmark, "subset": subset, "outcome": outcome}
        return self._connection.pages(VerdictView, f"/v1/evaluations/{evaluation}/verdicts", query, limit)
