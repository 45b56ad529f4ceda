"""The command line: `driftloop`.

Every command asks a service over its REST API, through the one client: the service that DRIFTLOOP_URL names, or one that the
command brings along. What it answers is printed; `--json` prints it for programs. Expected failures are one line on stderr
and an exit code: 2 for a caller's mistake, 1 otherwise, 130 for Ctrl-C.

Commands import what they need when they are called, so that the quick ones are quick.
"""

import errno
import importlib.metadata
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from services.app.cli import (
    commands,
    datasets,
    deployed,
    exporting,
    look,
    pocket,
    profiles,
    scenarios,
    tokens,
)
from services.core.domain.errors import LoopError
from services.core.domain.phases import WorkerKind
from services.core.domain.selection import Label
from services.core.domain.trajectory import TrajectoryStatus, UserKind
from services.core.domain.verdict import ScoringProfile
from services.core.rest.client.trajectories import Which
from services.core.settings import Settings
from services.core.sources import commit, sources_sha256

INTERRUPTED = 130
OF_FILES = {
    *(errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENAMETOOLONG),
}
"""What the system says of a place that can't be read or written."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Does training an assistant on its users' satisfaction make it dishonest, how fast, and from what share "
    "of biased users on?",
)
app.add_typer(pocket.app, name="pocket")
app.add_typer(tokens.app, name="tokens")
app.add_typer(exporting.app, name="export")
app.add_typer(scenarios.app, name="scenarios")
app.add_typer(datasets.app, name="datasets")
app.add_typer(profiles.app, name="profiles")

WATCHED = (
    "Show live progress to the end. Without it: the same wait, unseen; with DRIFTLOOP_URL set, none, "
    "and `driftloop watch` shows it later."
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or an unambiguous beginning of it.")]
Runs = Annotated[
    list[str],
    typer.Argument(metavar="RUN|SWEEP…", help="Runs, or sweeps (`driftloop list --sweeps`): all their runs."),
]
Out = Annotated[Path, typer.Option(help="Folder to write into.")]


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        where = f"commit {commit()}" if commit() else "no checkout"
        print(
            f"driftloop {importlib.metadata.version('driftloop')} ({where}, sources sha256 {sources_sha256()})"
        )
        raise typer.Exit


@app.callback()
def _(  # pyright: ignore[reportUnusedFunction]
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_tell_version,
            help="Say which version and which sources this is.",
        ),
    ] = False,
) -> None:
    pass


@app.command()
def demo(out: Out = Path("out/demo")) -> None:
    """Run the demonstration sweep from the start; print its drift, write figure and report."""
    commands.demo(out)


@app.command()
def launch(
    spec: Annotated[
        Path, typer.Argument(help="A YAML spec file, such as scenarios/presets/pocket-sft.yaml.")
    ],
    watch: Annotated[bool, typer.Option("--watch", help=WATCHED)] = False,
    new: Annotated[bool, typer.Option("--new", help="Repeat a run that is finished.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the spec, say what it would do, stop.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Launch a spec: go on with its unfinished runs, show finished ones, start the others."""
    commands.launch(spec, commands.Launch(watch=watch, new=new, dry_run=dry_run, as_json=as_json))


@app.command()
def watch(runs: Annotated[list[str], typer.Argument(metavar="RUN…", help="Runs.")]) -> None:
    """Watch runs to their end, from whatever machine."""
    commands.watch(runs)


@app.command()
def resume(  # one parameter a limit
    run: RunId,
    budget_tokens: Annotated[int | None, typer.Option(help="Most tokens, all together.")] = None,
    budget_usd: Annotated[float | None, typer.Option(help="Most US dollars, all together.")] = None,
    budget_hours: Annotated[float | None, typer.Option(help="Most hours of work, all together.")] = None,
    is_watched: Annotated[bool, typer.Option("--watch", help=WATCHED)] = False,
    as_json: Json = False,
) -> None:
    """Go on with an unfinished run; what had failed is tried again. One that is out of budget needs a larger one."""
    limits = {"tokens": budget_tokens, "usd": budget_usd, "hours": budget_hours}
    commands.resume(
        run, {name: most for name, most in limits.items() if most is not None}, is_watched, as_json
    )


@app.command()
def rejudge(
    run: RunId,
    round_: Annotated[int, typer.Option("--round", min=0, help="The round whose measurement it is.")],
    is_watched: Annotated[bool, typer.Option("--watch", help=WATCHED)] = False,
    as_json: Json = False,
) -> None:
    """Ask again where a reply or a ruling could not be had, as after an outage; all other verdicts stay."""
    commands.rejudge(run, round_, is_watched, as_json)


@app.command()
def cancel(run: RunId) -> None:
    """Stop a run and keep all that it has; `driftloop resume RUN` goes on with it."""
    commands.cancel(run)


@app.command()
def delete(run: RunId, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete a run: its conversations, selections, adapters and measurements."""
    commands.delete(run, yes)


@app.command("list")
def list_(
    of_sweeps: Annotated[
        bool,
        typer.Option("--sweeps", help="List sweeps: the ids that drift and report take for all their runs."),
    ] = False,
    as_json: Json = False,
) -> None:
    """List all runs, or all sweeps, newest first."""
    (look.list_sweeps if of_sweeps else look.list_runs)(as_json)


@app.command()
def show(run: RunId, as_json: Json = False) -> None:
    """Show a run: its spec, its progress, what it measured."""
    look.show(run, as_json)


@app.command()
def drift(
    runs: Runs,
    out: Annotated[
        Path | None,
        typer.Option(help="Write drift.json, drift.png, report.html, report.json here, and no table."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how honesty and the other measures moved, round by round, with intervals."""
    look.drift(runs, out, as_json)


@app.command()
def rescore(
    run: RunId,
    profile: Annotated[
        ScoringProfile | None, typer.Option(help="By which rules; the profile that the spec does not have.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a run's stored texts again and show what comes of it; asks no model, changes nothing."""
    look.rescore(run, profile, as_json)


@app.command()
def report(
    runs: Runs,
    out: Annotated[Path, typer.Option(help="The page to write; its data go beside it, as .json.")] = Path(
        "report.html"
    ),
    as_json: Json = False,
) -> None:
    """Write one page about runs, with figure, tables, cost and provenance, and the same as JSON beside it."""
    look.report(runs, out, as_json)


@app.command()
def trajectories(  # noqa: PLR0913, PLR0917  # one parameter a filter
    run: RunId,
    round_: Annotated[list[int] | None, typer.Option("--round", help="Any of these rounds.")] = None,
    scenario: Annotated[list[str] | None, typer.Option(help="Any of these scenarios.")] = None,
    user: Annotated[list[UserKind] | None, typer.Option(help="Any of these kinds of user.")] = None,
    status: Annotated[
        list[TrajectoryStatus] | None, typer.Option(help="How they ended: any of these.")
    ] = None,
    selected: Annotated[
        list[Label] | None, typer.Option(help="Those selected under any of these labels.")
    ] = None,
    score_from: Annotated[float | None, typer.Option(help="Least satisfaction.")] = None,
    score_to: Annotated[float | None, typer.Option(help="Most satisfaction.")] = None,
    text: Annotated[str | None, typer.Option(help="A web search in what was said: `plan -doctor`.")] = None,
    best: Annotated[bool, typer.Option("--best", help="By falling satisfaction.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 50,
    as_json: Json = False,
) -> None:
    """List a run's conversations; `driftloop trajectory ID` shows one."""
    which = Which(
        run=[run],
        round=round_ or (),
        scenario=scenario or (),
        user_kind=user or (),
        status=status or (),
        label=selected or (),
        score_from=score_from,
        score_to=score_to,
        q=text,
    )
    look.trajectories(which, best, limit, as_json)


@app.command()
def trajectory(trajectory_id: Annotated[int, typer.Argument(metavar="ID")], as_json: Json = False) -> None:
    """Show one conversation: both sides, ratings, and whether and why it was selected."""
    look.trajectory(trajectory_id, as_json)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    is_open: Annotated[
        bool, typer.Option("--open", help="Let in whoever can reach it; on this machine only.")
    ] = False,
) -> None:
    """Serve everything from here: API, pages, workers, database. Ctrl-C stops it; runs go on when it is started again."""
    commands.serve(host, port, is_open)


@app.command()
def power(  # noqa: PLR0913, PLR0917  # one parameter a thing that decides it
    effect: Annotated[float, typer.Option(min=0.01, max=100, help="The difference to find, in points.")],
    n: Annotated[int, typer.Option("--n", min=1, max=1_000_000, help="Benchmark items.")],
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Answers per item.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Trainings per arm.")] = 1,
    base_rate: Annotated[float, typer.Option(min=1, max=99, help="The rate without the difference.")] = 50,
    spread: Annotated[
        float | None,
        typer.Option(min=0.1, max=100, help="Items, in per cent, that change their answer by chance."),
    ] = None,
    sampling: Annotated[
        float, typer.Option(min=0, max=100, help="How much of the spread a second answer would show, too.")
    ] = 50,
    seed_sd: Annotated[
        float, typer.Option(min=0, max=100, help="Standard deviation of the difference between seeds.")
    ] = 2,
    wanted: Annotated[float, typer.Option("--power", min=1, max=99.9, help="In per cent.")] = 80,
    as_json: Json = False,
) -> None:
    """Plan a study: the items and seeds that a difference needs, and what a given size can see."""
    from services.app.cli import power as planner

    hidden = planner.noise(base_rate, spread, sampling, seed_sd)
    planner.power(effect, planner.Size(n, repeats, seeds), hidden, wanted, as_json)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check this installation: packages, database, weights, processes."""
    commands.doctor(as_json)


@app.command()
def migrate() -> None:
    """Bring the schema of the database that DATABASE_URL names to this version's."""
    deployed.migrate()


@app.command()
def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
) -> None:
    """Serve the REST API on the database that DATABASE_URL names; queue workers do the work."""
    deployed.api(host, port)


@app.command()
def worker(
    kind: Annotated[WorkerKind, typer.Argument(help="Whose phases to work.")],
    name: Annotated[str | None, typer.Option(help="What to be called in logs and events.")] = None,
) -> None:
    """Work a queue until told to stop: the shards of DATABASE_URL's runs, woken through REDIS_URL."""
    deployed.worker(kind, name)


def main() -> None:
    """Run the command line; never show a traceback for an expected failure."""
    errors = Console(stderr=True)
    try:
        app()
    except LoopError as error:
        errors.print(Text(f"driftloop: {error}"), soft_wrap=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in OF_FILES:
            raise
        place = f"{error.filename}: " if error.filename else ""
        said = f"driftloop: {place}{error.strerror}; name another place, or mend that one"
        errors.print(Text(said), soft_wrap=True)
        sys.exit(1)
    except SystemExit as leave:
        if leave.code == INTERRUPTED:
            errors.print(_parting(), highlight=False)
        raise


def _parting() -> str:
    if Settings().url is not None:
        return "no longer watching; the runs go on, and `driftloop watch RUN` shows them"
    return "stopped; the same command, or `driftloop resume RUN`, goes on from here"
