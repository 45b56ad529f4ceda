"""The commands that look: list, show, drift, trajectories, trajectory."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from rich.console import Console
from rich.text import Text

from services.app import terminal
from services.app.service import Service, open_service
from services.core.db import runs as runs_table
from services.core.db import sweeps
from services.core.db import trajectories as trajectories_table
from services.core.db.session import transaction
from services.core.db.trajectory_lists import Filter, Sort, summaries
from services.core.domain.errors import SpecError
from services.core.domain.selection import Label
from services.core.domain.trajectory import TrajectoryStatus, UserKind
from services.core.operations.progress import progress_of
from services.core.settings import Settings
from services.simulator.report.files import drift_json, write_report
from services.simulator.report.gather import gather_study
from services.simulator.report.table import drift_table

console = Console()
Value = TypeVar("Value")


def print_json(value: Any) -> None:
    """Print JSON as it is: no colours, no wrapping."""
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def list_runs(as_json: bool) -> None:
    """Print all runs."""
    with open_service(Settings()) as service, transaction(service.engine) as session:
        found = runs_table.list_runs(session)
    if as_json:
        print_json(
            [{"id": run.id, "status": run.status, "spec": run.spec.model_dump(mode="json")} for run in found]
        )
    elif found:
        console.print(terminal.run_table(found))
    else:
        console.print("no runs yet; `driftloop launch scenarios/presets/pocket-sft.yaml --watch` makes one")


def show(run_id: str, as_json: bool) -> None:
    """Print one run: state, spec, drift."""
    with open_service(Settings()) as service:
        with transaction(service.engine) as session:
            run = runs_table.get_run(session, run_id)
            (progress,) = progress_of(session, [run.id])
            held = trajectories_table.counts(session, run.id)
        study = gather_study(service.engine, run.name, [run.id])
    if as_json:
        phases = [asdict(phase) for phase in progress.phases]
        print_json(
            asdict(run) | {"spec": run.spec.model_dump(mode="json"), "phases": phases, "conversations": held}
        )
        return
    console.print(terminal.run_table([run]))
    if run.error:
        console.print(Text(run.error, style="red"))
    for round_, ended in held.items():
        counts = ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
        console.print(Text(f"round {round_}: {counts}", style="dim"))
    console.print(drift_table(study))
    console.print(Text(yaml.safe_dump(run.spec.model_dump(mode="json"), sort_keys=False), style="dim"))


def drift(names: Sequence[str], out: Path | None, as_json: bool) -> None:
    """Print (and write) the drift of runs, or of a sweep's runs."""
    with open_service(Settings()) as service:
        found = _named(service, names)
        study = gather_study(service.engine, names[0], list(found), list(found.values()))
    if out is not None:
        for path in write_report(study, out):
            console.print(f"wrote {path}")
    if as_json:
        print(drift_json(study))
    elif out is None:
        console.print(drift_table(study))


def _named(service: Service, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return the runs that names of runs and sweeps mean, with the labels that set them apart."""
    found: dict[str, Mapping[str, Any]] = {}
    with transaction(service.engine) as session:
        for name in names:
            sweep = sweeps.find_sweep(session, name)
            if sweep:
                found |= dict(zip(sweep.run_ids, sweep.labels, strict=True))
            else:
                found[runs_table.get_run(session, name).id] = {}
    return found


@dataclass(frozen=True, slots=True)
class Which:
    """The filters of `driftloop trajectories`, as typed."""

    run: str
    round: int | None
    scenario: str | None
    user: UserKind | None
    status: TrajectoryStatus | None
    label: Label | None
    score_from: int | None
    score_to: int | None


def _given(value: Value | None) -> tuple[Value, ...]:
    return () if value is None else (value,)


def label_of(selected: str | None) -> Label | None:
    """Check `--selected`. Raises `SpecError`."""
    if selected is not None and selected not in set(Label):
        raise SpecError(f"--selected: {selected!r} is no label; use desirable or undesirable")
    return None if selected is None else Label(selected)


def trajectories(which: Which, best_first: bool, limit: int, as_json: bool) -> None:
    """Print a run's conversations."""
    with open_service(Settings()) as service, transaction(service.engine) as session:
        run = runs_table.get_run(session, which.run)
        wanted = Filter(
            runs=(run.id,),
            rounds=_given(which.round),
            scenarios=_given(which.scenario),
            user_kinds=_given(which.user),
            statuses=_given(which.status),
            labels=_given(which.label),
            score_from=which.score_from,
            score_to=which.score_to,
        )
        found = summaries(session, wanted, limit, Sort.BEST if best_first else Sort.OLDEST)
    if as_json:
        print_json([asdict(item) for item in found])
        return
    console.print(terminal.trajectory_table(found))
    if len(found) == limit:
        console.print(f"the first {limit}; --limit shows more", style="dim")


def trajectory(trajectory_id: int, as_json: bool) -> None:
    """Print one conversation."""
    with open_service(Settings()) as service, transaction(service.engine) as session:
        stored = trajectories_table.get(session, trajectory_id)
    if as_json:
        print_json(asdict(stored))
    else:
        console.print(terminal.transcript(stored))
