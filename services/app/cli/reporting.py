"""Runs on one page, made from the service's answers: a table, drift.json, and a folder with figure and report."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.core.domain.errors import SpecError
from services.core.rest.client import Client
from services.core.rest.studies import StudyView

_NAME_WIDTH, _ANY_WIDTH = 12, 1000


def table(study: StudyView, console: Console) -> Table:
    """Return the drift table as it fits a console: no interval over two lines; what has no room is left out, and named."""
    from services.simulator.report.table import drift_table
    from services.simulator.report.wire import study_of

    made = drift_table(study_of(study))
    name, *others = made.columns
    for column in others:
        column.no_wrap = True
    if not _fits(made, console):
        name.max_width, made.padding = _NAME_WIDTH, (0, 0, 0, 0)
    left_out: list[str] = []
    while not _fits(made, console) and len(made.columns) > 1:
        left_out.append(str(made.columns.pop().header).replace("-\n", ""))
    if left_out:
        made.caption = Text(f"A wider terminal also shows: {', '.join(reversed(left_out))}.\n{made.caption}")
    return made


def _fits(made: Table, console: Console) -> bool:
    unbounded = console.options.update(max_width=_ANY_WIDTH)
    return console.measure(made, options=unbounded).maximum <= console.width


def agreement_lines(study: StudyView) -> list[str]:
    """Return a line for every round and benchmark that a second judge read something of."""
    from services.simulator.report.wire import study_of
    from services.simulator.report.wording import BENCHMARKS, agreement

    return [
        f"round {result.round}: two judges on {BENCHMARKS[benchmark]}: {agreement(one)}"
        for run in study_of(study).runs
        for result in run.rounds
        for benchmark, one in result.agreement.items()
    ]


def as_json(study: StudyView) -> str:
    """Return the study as drift.json holds it."""
    from services.simulator.report.drift_json import drift_json
    from services.simulator.report.wire import study_of

    return drift_json(study_of(study))


def write(client: Client, names: Sequence[str], folder: Path) -> tuple[Path, ...]:
    """Write drift.json, drift.png, report.html and report.json into a folder, which is made if need be; old ones are replaced."""
    figure = client.studies.figure(names, folder / "drift.png")
    page, data = write_report(client, names, folder / "report.html")
    return _replaced(folder / "drift.json", as_json(client.studies.get(names))), figure, page, data


def write_report(client: Client, names: Sequence[str], page: Path) -> tuple[Path, Path]:
    """Write the report's page, and its data beside it under the same name with .json. Raises `SpecError`, `NotFound`."""
    if page.suffix == ".json":
        raise SpecError(
            f"{page}: is the name of its data; name the page, such as {page.with_suffix('.html')}"
        )
    if page.is_dir():
        raise SpecError(f"{page}: is a folder; --out names the page's file, such as {page / 'report.html'}")
    data = client.studies.report(names, page.with_suffix(".json"))
    return client.studies.report(names, page), data


def report_data(client: Client, names: Sequence[str]) -> str:
    """Return the report's data as JSON."""
    with TemporaryDirectory() as folder:
        return client.studies.report(names, Path(folder) / "report.json").read_text(encoding="utf-8")


def _replaced(path: Path, content: str) -> Path:
    """Write beside and rename, so that a reader never meets half a file."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(content, encoding="utf-8")
    return part.replace(path)
