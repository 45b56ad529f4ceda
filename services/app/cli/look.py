"""The commands that look: list, show, drift, rescore, report, trajectories, trajectory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.text import Text

from services.app.cli import launching, reporting, terminal
from services.app.cli.terminal import print_json
from services.app.service import reach
from services.core.domain.verdict import ScoringProfile
from services.core.rest.client.trajectories import BEST_FIRST, OLDEST_FIRST, Which
from services.core.settings import Settings

console = Console()
ASIDE = Console(stderr=True)
"""Where what was written is told when a program reads what is printed."""


def list_runs(as_json: bool) -> None:
    """Print all runs."""
    with reach(Settings()) as service:
        found = list(service.client.runs.list())
    if as_json:
        print_json(found)
    elif found:
        console.print(terminal.run_table(found))
    else:
        console.print("no runs yet; `driftloop launch scenarios/presets/pocket-sft.yaml --watch` makes one")


def list_sweeps(as_json: bool) -> None:
    """Print all sweeps."""
    with reach(Settings()) as service:
        found = list(service.client.sweeps.list())
    if as_json:
        print_json(found)
    elif found:
        console.print(terminal.sweep_table(found))
    else:
        console.print("no sweeps yet; a spec with a `sweep`, such as scenarios/presets/demo.yaml, makes one")


def show(run_id: str, as_json: bool) -> None:
    """Print one run: spec, state, drift; what was measured comes last, where a terminal stops."""
    with reach(Settings()) as service:
        run = service.client.runs.get(run_id)
        phases = list(service.client.runs.phases(run.id))
        rounds = [made for made in service.client.runs.rounds(run.id) if made.round]
        study = service.client.studies.get([run.id])
    spec: dict[str, Any] = run.spec.model_dump(mode="json")
    if as_json:
        held = {made.round: made.conversations for made in rounds}
        alerts = [made.alert for made in rounds if made.alert is not None]
        agreed = {made.round: made.agreement for one in study.runs for made in one.rounds if made.agreement}
        more = {"phases": phases, "conversations": held, "alerts": alerts, "agreement": agreed}
        print_json(run.model_dump(mode="json") | more)
        return
    console.print(Text(yaml.safe_dump(spec, sort_keys=False), style="dim"))
    console.print(terminal.run_table([run]))
    if waits := launching.waiting_line(run, service.is_embedded):
        console.print(Text(waits, style="yellow"), soft_wrap=True)
    if run.error:
        console.print(Text(run.error, style="red"))
    console.print(Text(terminal.spent_line(run), style="dim"))
    for made in rounds:
        console.print(Text(terminal.round_line(made), style="dim"))
        if made.alert is not None:
            console.print(Text(terminal.alert_line(made.alert), style="bold yellow"))
    console.print(reporting.table(study, console))
    for line in reporting.agreement_lines(study):
        console.print(Text(line, style="dim"), soft_wrap=True)


def drift(names: Sequence[str], out: Path | None, as_json: bool) -> None:
    """Print (and write) the drift of runs, or of a sweep's runs."""
    with reach(Settings()) as service:
        study = service.client.studies.get(names)
        written = reporting.write(service.client, names, out) if out is not None else ()
    for path in written:
        (ASIDE if as_json else console).print(f"wrote {path}", soft_wrap=True)
    if as_json:
        print(reporting.as_json(study), end="")
    elif out is None:
        console.print(reporting.table(study, console))


def rescore(run_id: str, profile: ScoringProfile | None, as_json: bool) -> None:
    """Print what the run's stored texts score by `profile`, or by the one that its spec does not have."""
    from services.app.cli import rescoring

    with reach(Settings()) as service:
        run = service.client.runs.get(run_id)
        by = profile or rescoring.OTHER[run.spec.evaluation.profile]
        found = rescoring.rescored(service.client, run.id, by)
    if as_json:
        print_json(rescoring.as_json(found, by))
    else:
        console.print(rescoring.table(found, by))


def report(names: Sequence[str], out: Path, as_json: bool) -> None:
    """Write the report of runs, or of a sweep's runs, as a page and as data; or print the data and write nothing."""
    with reach(Settings()) as service:
        if as_json:
            print(reporting.report_data(service.client, names))
            return
        page, data = reporting.write_report(service.client, names, out)
    console.print(f"wrote {page}: open it in a browser; its data are in {data}", soft_wrap=True)


def trajectories(which: Which, best_first: bool, limit: int, as_json: bool) -> None:
    """Print conversations."""
    sort = BEST_FIRST if best_first else OLDEST_FIRST
    with reach(Settings()) as service:
        found = list(service.client.trajectories.list(which, sort, limit))
    if as_json:
        print_json(found)
        return
    if not found:
        console.print("no conversation of this run matches; without options all are listed", highlight=False)
        return
    console.print(terminal.trajectory_table(found))
    if len(found) == limit:
        console.print(f"the first {limit}; --limit shows more", style="dim")


def trajectory(trajectory_id: int, as_json: bool) -> None:
    """Print one conversation."""
    with reach(Settings()) as service:
        held = service.client.trajectories.get(trajectory_id)
    if as_json:
        print_json(held)
    else:
        console.print(terminal.transcript(held))
