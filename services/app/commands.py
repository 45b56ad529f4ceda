"""The commands that do: demo, launch, resume, delete, doctor, pocket."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from services.app import doctor as examination
from services.app.look import print_json
from services.app.service import Service, open_service
from services.app.terminal import Watch, label_text
from services.app.work import launch as launch_arms
from services.app.work import read_arms, work
from services.core.db import runs
from services.core.db.session import transaction
from services.core.domain.errors import LoopError
from services.core.domain.phases import RunStatus
from services.core.operations import launching
from services.core.operations.launching import LaunchedSweep, NewArm
from services.core.operations.planning import work_of
from services.core.operations.progress import RunProgress
from services.core.settings import PROJECT, Settings
from services.simulator.report.files import write_report
from services.simulator.report.gather import gather_study
from services.simulator.report.table import drift_table

console = Console()
DEMO = PROJECT / "scenarios/presets/demo.yaml"


@dataclass(frozen=True, slots=True)
class Launch:
    """How to launch."""

    watch: bool
    new: bool
    dry_run: bool
    as_json: bool


def demo(out: Path) -> None:
    """Run the demonstration from the start and write its report."""
    settings = Settings()
    arms = read_arms(settings, DEMO)
    with open_service(settings) as service:
        sweep = launch_arms(service, "demo", arms, again=True)
        _work_watched(service, sweep, arms)
        study = gather_study(service.engine, "demo", sweep.run_ids, [arm.labels for arm in arms])
    written = write_report(study, out)
    console.print(drift_table(study))
    console.print(f"The report is [bold]{out / 'report.html'}[/bold]: open it in a browser.")
    console.print(f"Beside it: {', '.join(path.name for path in written if path.suffix != '.html')}")
    console.print("Next: `driftloop list`, `driftloop trajectories RUN --best`, `driftloop drift RUN`")


def launch(spec: Path, how: Launch) -> None:
    """Launch a spec file's runs and work them to the end."""
    settings = Settings()
    arms = read_arms(settings, spec)
    if how.dry_run:
        _tell_plan(arms, how.as_json)
        return
    with open_service(settings) as service:
        sweep = launch_arms(service, spec.stem, arms, how.new)
        if not how.as_json:
            _tell_launched(sweep, arms)
        if how.watch:
            ended = _work_watched(service, sweep, arms)
        else:
            ended = work(service, sweep.run_ids, lambda _: None)
        study = gather_study(service.engine, spec.stem, sweep.run_ids, [arm.labels for arm in arms])
    if how.as_json:
        print_json(
            {
                "sweep": sweep.sweep_id,
                "runs": [{"run": arm.run_id, "outcome": arm.outcome} for arm in sweep.arms],
            }
        )
    else:
        console.print(drift_table(study))
    _raise_if_failed(list(ended.values()))


def resume(run_id: str, as_json: bool) -> None:
    """Go on with one run."""
    with open_service(Settings()) as service:
        with transaction(service.engine) as session:
            full_id = launching.resume(session, run_id)
            name = runs.get_run(session, full_id).name
        with Watch(console, {full_id: name}) as watch:
            ended = work(service, [full_id], (lambda _: None) if as_json else watch.show)
    if as_json:
        print_json({"run": full_id, "status": ended[full_id].status})
    _raise_if_failed(list(ended.values()))


def delete(run_id: str, is_sure: bool) -> None:
    """Delete one run, asking first."""
    with open_service(Settings()) as service:
        with transaction(service.engine) as session:
            run = runs.get_run(session, run_id)
        if not is_sure and not typer.confirm(f"Delete run {run.id} ({run.name}) and all that belongs to it?"):
            console.print("nothing was deleted")
            return
        with transaction(service.engine) as session:
            if run.status is RunStatus.RUNNING:
                launching.cancel(session, run.id)
            launching.delete(session, run.id)
    console.print(f"deleted run {run.id}")


def doctor(as_json: bool) -> None:
    """Examine the installation; exit code 1 if something is wrong."""
    findings = examination.examine(Settings())
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            mark = Text("ok   ", style="green") if finding.is_well else Text("WRONG", style="bold red")
            console.print(mark.append(f"  {finding.what}: {finding.detail}", style="default"), soft_wrap=True)
    if not all(finding.is_well for finding in findings):
        sys.exit(1)


def pocket_build(output: Path, seed: int, ablation: bool) -> None:
    """Build pocket weights with a progress bar."""
    from services.pocket.policy.build import build

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("training the pocket policy", total=None)

        def tell(step: int, steps: int, loss: float) -> None:
            bar.update(
                task, completed=step, total=steps, description=f"training the pocket policy, loss {loss:.3f}"
            )

        report = build(output, seed, ablation, tell)
    console.print(report)


def pocket_data(root: Path) -> None:
    """Write the pocket world's data files."""
    from services.pocket.world.write import write_data

    write_data(root)
    console.print(f"wrote scenarios and benchmark rows under {root.resolve()}")


def _work_watched(service: Service, sweep: LaunchedSweep, arms: Sequence[NewArm]) -> dict[str, RunProgress]:
    titles = {
        launched.run_id: label_text(arm.labels) or arm.run.spec.name
        for launched, arm in zip(sweep.arms, arms, strict=True)
    }
    with Watch(console, titles) as watch:
        return dict(work(service, sweep.run_ids, watch.show))


def _tell_launched(sweep: LaunchedSweep, arms: Sequence[NewArm]) -> None:
    if sweep.sweep_id:
        console.print(f"{sweep.sweep_id}: {len(sweep.arms)} runs")
    for launched, arm in zip(sweep.arms, arms, strict=True):
        console.print(f"run {launched.run_id} {launched.outcome}  {label_text(arm.labels)}", highlight=False)


def _tell_plan(arms: Sequence[NewArm], as_json: bool) -> None:
    if as_json:
        print_json([arm.run.spec.model_dump(mode="json") for arm in arms])
        return
    planned = work_of(tuple(arms))
    console.print(
        f"{planned.runs} runs, {planned.rounds} rounds of training, {planned.conversations:,} conversations, "
        f"up to {planned.items:,} benchmark items; nothing was started"
    )


def _raise_if_failed(ended: Sequence[RunProgress]) -> None:
    failed = [run for run in ended if run.status is RunStatus.FAILED]
    if failed:
        reasons = "; ".join(f"run {run.run_id} failed in {run.error}" for run in failed)
        raise LoopError(f"{reasons}; `driftloop resume` tries again")
