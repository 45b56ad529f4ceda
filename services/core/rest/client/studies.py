"""Runs compared on one page, as a client asks for it: as data, as a figure, as a report."""

from collections.abc import Sequence
from pathlib import Path

from services.core.domain.errors import SpecError
from services.core.rest.client.connection import Connection
from services.core.rest.studies import StudyView

FIGURES = (".png", ".svg", ".json")


class Studies:
    """What a service makes of several runs. Names may be of runs and of sweeps, which stand for all their runs."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def get(self, names: Sequence[str]) -> StudyView:
        """Return every measured round of the runs. Raises `NotFound`."""
        return self._connection.get(StudyView, "/v1/compare", {"run": names})

    def report(self, names: Sequence[str], target: Path) -> Path:
        """Write the report: a page that needs nothing but itself, or JSON if the target's name ends in .json. Raises `NotFound`."""
        form = "json" if target.suffix == ".json" else "html"
        return self._connection.save(f"/v1/compare/report.{form}", target, {"run": names})

    def figure(self, names: Sequence[str], target: Path) -> Path:
        """Write the figure, in the format of the target's name. Raises `NotFound`, `SpecError`."""
        if target.suffix not in FIGURES:
            raise SpecError(
                f"{target}: is no figure's name; end it in {', '.join(FIGURES)} (a Vega-Lite spec)"
            )
        return self._connection.save(f"/v1/compare/figure{target.suffix}", target, {"run": names})
