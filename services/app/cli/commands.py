"""The commands that do: demo, launch, watch, resume, rejudge, cancel, delete, doctor, serve."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from services.app.cli import reporting
from services.app.cli.costs import cost_table, cost_words
from services.app.cli.launching import Launched, SpecFile, raise_if_failed, read_spec, watch_to_end
from services.app.cli.quantities import counted
from services.app.cli.terminal import label_text, print_json
from services.app.service import Service, reach
from services.core.domain.identity import LaunchOutcome
from services.core.domain.phases import RunStatus
from services.core.rest.launches import Plan
from services.core.rest.models import RunView
from services.core.rest.studies import StudyView
from services.core.settings import PROJECT, Settings

console = Console()
QUIET = Console(quiet=True, force_terminal=False)
ASIDE = Console(stderr=True)
"""Where progress goes when a program reads what is printed."""
DEMO = PROJECT / "scenarios/presets/demo.yaml"


@dataclass(frozen=True)
class Launch:
    """How to launch."""

    watch: bool
    new: bool
    dry_run: bool
    as_json: bool


def demo(out: Path) -> None:
    """Run the demonstration from the start and write its report."""
    spec = read_spec(DEMO)
    with reach(Settings()) as service:
        launched = spec.launch(service.client, new=True)
        raise_if_failed(watch_to_end(service, launched.titles, console))
        written = reporting.write(service.client, launched.names, out)
        study = service.client.studies.get(launched.names)
    console.print(reporting.table(study, console))
    console.print(f"The report is [bold]{out / 'report.html'}[/bold]: open it in a browser.")
    console.print(f"Beside it: {', '.join(path.name for path in written if path.suffix != '.html')}")
    console.print("Next: `driftloop list`, `driftloop trajectories RUN --best`, `driftloop drift RUN`")


def launch(path: Path, how: Launch) -> None:
    """Launch a spec file's runs, and work or watch them to the end."""
    spec = read_spec(path)
    with reach(Settings()) as service:
        if how.dry_run:
            _tell_plan(service, spec, how)
            return
        launched = spec.launch(service.client, how.new)
        if not how.as_json:
            _tell_launched(launched)
        _warn(launched.warnings, ASIDE if how.as_json else console)
        if service.is_embedded and not (how.watch or how.as_json or launched.is_over):
            console.print("working until all have ended; --watch shows how far it is", style="dim")
        if service.is_embedded or how.watch or launched.is_over:
            ended = watch_to_end(service, launched.titles, _shown(how.watch, how.as_json))
            study = service.client.studies.get(launched.names)
        else:
            # What would not have gone on anyway is said now.
            ended, study = [service.client.runs.get(run) for run in launched.out_of_budget], None
    if how.as_json:
        outcomes = [{"run": arm.run, "outcome": arm.outcome} for arm in launched.arms]
        print_json({"sweep": launched.sweep, "runs": outcomes})
    else:
        _tell_result(study, launched.titles)
    raise_if_failed(ended)


def _shown(is_watched: bool, as_json: bool) -> Console:
    """Return where progress goes."""
    if not is_watched:
        return QUIET
    return ASIDE if as_json else console


def _tell_result(study: StudyView | None, run_ids: Iterable[str]) -> None:
    """Print what runs came to, or, if they are still worked elsewhere, how to follow them."""
    if study is not None:
        console.print(reporting.table(study, console))
    else:
        console.print(f"`driftloop watch {' '.join(run_ids)}` shows how far it is", soft_wrap=True)


def watch(names: Sequence[str]) -> None:
    """Watch runs to their end, from whatever machine."""
    with reach(Settings()) as service:
        found = [service.client.runs.get(name) for name in names]
        ended = watch_to_end(service, {run.id: run.name for run in found}, console)
    for run in ended:
        console.print(f"run {run.id} {run.status}", highlight=False)
    raise_if_failed(ended)


def resume(name: str, limits: Mapping[str, float], is_watched: bool, as_json: bool) -> None:
    """Go on with one run, with these limits of its budget in place of those that it had."""
    with reach(Settings()) as service:
        run = service.client.runs.resume(name, budget=limits)
        run, study = _to_end(service, run, is_watched, as_json)
    if as_json:
        print_json({"run": run.id, "status": run.status})
    else:
        _tell_result(study, [run.id])
    raise_if_failed([run])


def _to_end(
    service: Service, run: RunView, is_watched: bool, as_json: bool
) -> tuple[RunView, StudyView | None]:
    """Have a run worked to its end, as a launched one, and return what it came to; None if it is worked elsewhere."""
    if not (service.is_embedded or is_watched):
        return run, None
    (ended,) = watch_to_end(service, {run.id: run.name}, _shown(is_watched, as_json))
    return ended, service.client.studies.get([run.id])


def rejudge(name: str, round_: int, is_watched: bool, as_json: bool) -> None:
    """Ask again what failed in one round's measurement."""
    with reach(Settings()) as service:
        found = service.client.runs.rejudge(name, round_)
        run, study = found.run, None
        if found.failed:
            run, study = _to_end(service, run, is_watched, as_json)
    if as_json:
        print_json({"run": run.id, "status": run.status, "failed": found.failed})
    else:
        console.print(f"{found.failed} verdicts of round {round_} had failed", highlight=False)
        if found.failed:
            _tell_result(study, [run.id])
    raise_if_failed([run])


def cancel(name: str) -> None:
    """Stop one run, keeping everything."""
    with reach(Settings()) as service:
        run = service.client.runs.cancel(service.client.runs.get(name).id)
    console.print(f"run {run.id} is cancelled; `driftloop resume {run.id}` goes on with it", highlight=False)


def delete(name: str, is_sure: bool) -> None:
    """Delete one run, asking first."""
    with reach(Settings()) as service:
        run = service.client.runs.get(name)
        if not is_sure and not typer.confirm(f"Delete run {run.id} ({run.name}) and all that belongs to it?"):
            console.print("nothing was deleted")
            return
        if run.status is RunStatus.RUNNING:
            service.client.runs.cancel(run.id)
        service.client.runs.delete(run.id)
    console.print(f"deleted run {run.id}")


def doctor(as_json: bool) -> None:
    """Examine the installation; exit code 1 if something is wrong."""
    from services.app.cli import doctor as examination

    findings = examination.examine(Settings())
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            mark = Text("ok   ", style="green") if finding.is_well else Text("WRONG", style="bold red")
            console.print(mark.append(f"  {finding.what}: {finding.detail}", style="default"), soft_wrap=True)
    if not all(finding.is_well for finding in findings):
        sys.exit(1)


def serve(host: str, port: int, is_open: bool) -> None:
    """Serve everything from this process tree until interrupted."""
    from services.app.serve import serve as serve_until_interrupted

    settings = Settings()
    if is_open:
        settings = settings.model_copy(update={"auth": "open"})
    serve_until_interrupted(settings, host, port, console)


def _tell_launched(launched: Launched) -> None:
    if launched.sweep:
        console.print(f"{launched.sweep}: {len(launched.arms)} runs")
    for arm in launched.arms:
        title = arm.title if launched.sweep or arm.outcome is LaunchOutcome.FINISHED else ""
        console.print(f"run {arm.run} {arm.outcome}  {title}", highlight=False, markup=False)
    if any(arm.outcome is LaunchOutcome.FINISHED for arm in launched.arms):
        console.print("What was finished before is shown; `--new` repeats it.")


def _tell_plan(service: Service, spec: SpecFile, how: Launch) -> None:
    plan = spec.plan(service.client, how.new)
    if how.as_json:
        print_json(plan)
        return
    for run in plan.runs:
        if run.outcome != "created":
            console.print(f"run {run.id} would be {run.outcome}  {label_text(run.labels)}", highlight=False)
    worked = sum(run.outcome in (LaunchOutcome.CREATED, LaunchOutcome.RESUMED) for run in plan.runs)
    if not worked:
        console.print(_nothing_to_do(plan))
        return
    console.print(
        f"{counted(worked, 'run')}, {counted(plan.rounds, 'round')} of training, {_what_trains(plan)}, "
        f"up to {counted(plan.items, 'benchmark item')}; nothing was started",
        highlight=False,
    )
    console.print(cost_table(plan.estimate))
    console.print(cost_words(plan.estimate), highlight=False)
    _warn(plan.warnings, console)


def _warn(warnings: Iterable[str], out: Console) -> None:
    for warning in warnings:
        out.print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)


def _nothing_to_do(plan: Plan) -> str:
    spent = [run.id for run in plan.runs if run.outcome is LaunchOutcome.OUT_OF_BUDGET]
    if spent:
        return f"nothing would be done: give `driftloop resume {spent[0]}` more of its budget, or the spec a larger one"
    return "nothing is left to do; `--new` repeats what is finished"


def _what_trains(plan: Plan) -> str:
    parts = [counted(plan.conversations, "conversation") if plan.conversations or not plan.rows else ""]
    parts.append(counted(plan.rows, "row") if plan.rows else "")
    how_long = f"{counted(plan.steps, 'step')} (about {plan.tokens:,} tokens)"
    return ", ".join(filter(None, [*parts, how_long]))
