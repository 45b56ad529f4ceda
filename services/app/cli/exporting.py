"""`driftloop export`: everything that a filter matches as a file, JSON lines or Parquet by its name."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.app.service import reach
from services.core.domain.selection import Label
from services.core.domain.trajectory import TrajectoryStatus, UserKind
from services.core.domain.verdict import Benchmark
from services.core.rest.client.exports import Tell
from services.core.rest.client.trajectories import Which
from services.core.settings import Settings

console = Console()
app = typer.Typer(
    no_args_is_help=True, help="Write conversations, training rows or verdicts to a .jsonl or .parquet file."
)
Runs = Annotated[list[str], typer.Argument(metavar="RUN…", help="Runs, by id or beginning.")]
Out = Annotated[
    Path, typer.Option(help="The file to write: .jsonl or .parquet. It appears when it is whole.")
]
Rounds = Annotated[list[int] | None, typer.Option("--round", help="Any of these rounds.")]


@app.command()
def trajectories(  # noqa: PLR0913, PLR0917  # one parameter a filter
    runs: Runs,
    out: Out = Path("trajectories.jsonl"),
    round_: Rounds = None,
    scenario: Annotated[list[str] | None, typer.Option(help="Any of these scenarios.")] = None,
    user: Annotated[list[UserKind] | None, typer.Option(help="Kind of user.")] = None,
    status: Annotated[list[TrajectoryStatus] | None, typer.Option(help="How they ended.")] = None,
    selected: Annotated[list[Label] | None, typer.Option(help="Those selected under this label.")] = None,
    score_from: Annotated[float | None, typer.Option(help="Least satisfaction.")] = None,
    score_to: Annotated[float | None, typer.Option(help="Most satisfaction.")] = None,
    text: Annotated[str | None, typer.Option(help="A web search in what was said: `plan -doctor`.")] = None,
) -> None:
    """Write whole conversations, with ratings, calls, and how they were selected."""
    which = Which(
        run=runs,
        round=round_ or (),
        scenario=scenario or (),
        user_kind=user or (),
        status=status or (),
        label=selected or (),
        score_from=score_from,
        score_to=score_to,
        q=text,
    )
    with reach(Settings()) as service, _shown(out) as tell:
        service.client.exports.trajectories(out, which, tell)


@app.command()
def selections(runs: Runs, out: Out = Path("selections.jsonl"), round_: Rounds = None) -> None:
    """Write the rows that trained rounds, as TRL takes them."""
    with reach(Settings()) as service, _shown(out) as tell:
        service.client.exports.selections(out, runs, round_ or (), tell)


@app.command()
def verdicts(  # one parameter a filter
    runs: Runs,
    out: Out = Path("verdicts.jsonl"),
    round_: Rounds = None,
    benchmark: Annotated[list[Benchmark] | None, typer.Option(help="Any of these benchmarks.")] = None,
    subset: Annotated[list[str] | None, typer.Option(help="Any of these subsets.")] = None,
    outcome: Annotated[list[str] | None, typer.Option(help="Any of these outcomes, such as `lie`.")] = None,
) -> None:
    """Write judged items with the policy's replies and the judge's raw texts."""
    with reach(Settings()) as service, _shown(out) as tell:
        service.client.exports.verdicts(
            out,
            runs,
            round_ or (),
            benchmark=benchmark or (),
            subset=subset or (),
            outcome=outcome or (),
            tell=tell,
        )


@app.command()
def mask(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run, by id or beginning.")],
    round_: Annotated[int, typer.Option("--round", min=0, help="Which round's policy.")] = 0,
    out: Annotated[Path, typer.Option(help="The folder to write a .csv a configuration into.")] = Path(
        "mask"
    ),
) -> None:
    """Write a round's MASK verdicts as MASK's own code writes them, so that its metric script can be run on them.

    Needs the run's benchmark rows on this machine (DRIFTLOOP_BENCHMARKS): the service does not hand them out.
    """
    from services.app.cli.mask_csv import write_tables

    settings = Settings()
    with reach(settings) as service:
        for path, rows in write_tables(service.client, settings, run, round_, out):
            console.print(f"wrote {path} ({rows} rows)", soft_wrap=True, highlight=False)


@contextmanager
def _shown(out: Path) -> Generator[Tell]:
    """Show how much is there while the block runs, and what was written after it."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"writing {out}", total=None)
        yield lambda written: bar.update(task, completed=written)
    size = out.stat().st_size
    what = f"{size:,} bytes" if size else "empty: nothing matches"
    console.print(f"wrote {out} ({what})", soft_wrap=True, highlight=False)
