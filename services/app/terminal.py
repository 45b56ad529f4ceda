"""What a person sees in the terminal: live progress, lists, transcripts.

Model text is data: it is never read as markup, and control characters were replaced where it entered.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from services.core.db.runs import RunRecord
from services.core.db.trajectories import Stored
from services.core.db.trajectory_lists import Summary
from services.core.domain.phases import RunStatus
from services.core.operations.progress import RunProgress

STYLES = {
    RunStatus.RUNNING: "cyan",
    RunStatus.SUCCEEDED: "green",
    RunStatus.FAILED: "red",
    RunStatus.CANCELLED: "yellow",
}


def label_text(labels: Mapping[str, Any]) -> str:
    """Return an arm's labels as `biased_share 0.5, seed 1`."""
    return ", ".join(f"{field.rpartition('.')[2]} {value}" for field, value in labels.items())


class Watch:
    """A live view of some runs; on a console that is no terminal, a line for every finished phase."""

    def __init__(self, console: Console, titles: Mapping[str, str]):
        self._console = console
        self._titles = titles
        self._began = time.monotonic()
        self._told: set[tuple[str, int, str]] = set()
        self._live = (
            Live(console=console, refresh_per_second=5, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> "Watch":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, runs: Sequence[RunProgress]) -> None:
        """Bring the view up to date."""
        if self._live:
            self._live.update(self._table(runs))
        else:
            self._tell(runs)

    def _table(self, runs: Sequence[RunProgress]) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for run in runs:
            table.add_row(
                Text(run.run_id, style="bold"),
                Text(self._titles[run.run_id]),
                ProgressBar(total=1.0, completed=run.fraction, width=30),
                Text(_where(run), style=STYLES[run.status]),
            )
        return Group(table, Text(self._clock(runs), style="dim"))

    def _clock(self, runs: Sequence[RunProgress]) -> str:
        elapsed_s = time.monotonic() - self._began
        done = sum(run.fraction for run in runs) / max(len(runs), 1)
        if done < 0.03 or elapsed_s < 5:
            return f"{_clock(elapsed_s)} elapsed; Ctrl-C leaves runs that `driftloop resume` continues"
        return f"{_clock(elapsed_s)} elapsed, about {_clock(elapsed_s / done * (1 - done))} to go"

    def _tell(self, runs: Sequence[RunProgress]) -> None:
        for run in runs:
            for phase in run.phases:
                key = (run.run_id, phase.round, phase.name)
                if phase.is_done and key not in self._told:
                    self._told.add(key)
                    elapsed = _clock(time.monotonic() - self._began)
                    title = self._titles[run.run_id]
                    self._console.print(
                        f"{elapsed}  {run.run_id}  {title}  round {phase.round} {phase.name} done"
                    )


def _where(run: RunProgress) -> str:
    current = run.current
    if run.status is not RunStatus.RUNNING or current is None:
        return run.status.value
    return f"round {current.round}/{run.rounds} {current.name} {current.units_done}/{current.units_total}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def run_table(records: Sequence[RunRecord]) -> Table:
    """Return the list of runs."""
    table = Table(
        "run", "name", "status", "biased", "method", "selection", "seed", "rounds", "created", box=None
    )
    for run in records:
        spec = run.spec
        table.add_row(
            run.id,
            run.name,
            Text(run.status.value, style=STYLES[run.status]),
            f"{spec.population.biased_share:g}",
            spec.training.method,
            spec.selection.rule,
            str(spec.seed),
            str(spec.rounds),
            f"{run.created_at:%Y-%m-%d %H:%M}",
        )
    return table


def trajectory_table(summaries: Sequence[Summary]) -> Table:
    """Return a list of trajectories."""
    table = Table("id", "round", "slot", "scenario", "profile", "user", "satisfaction", "selected", box=None)
    for item in summaries:
        score = str(item.satisfaction) if item.satisfaction is not None else f"{item.status}: {item.cause}"
        table.add_row(
            str(item.id),
            str(item.round),
            str(item.slot),
            item.scenario,
            item.profile,
            item.user_kind,
            Text(score),
            item.label or "",
        )
    return table


def transcript(stored: Stored) -> RenderableType:
    """Return one conversation: both sides, ratings, why it was selected."""
    trajectory = stored.trajectory
    lines: list[RenderableType] = []
    ratings = iter(trajectory.ratings)
    for message in trajectory.messages:
        style = {"system": "dim", "user": "yellow", "assistant": "cyan"}[message.role]
        rating = next(ratings, None) if message.role == "assistant" else None
        suffix = f"   [rated {rating}]" if rating is not None else ""
        lines.append(
            Text(f"{message.role:9} ", style=f"bold {style}").append(message.content + suffix, style)
        )
    why = stored.selection.reason if stored.selection else "not selected"
    title = (
        f"run {stored.run_id} round {stored.round} slot {trajectory.slot}: {trajectory.user_kind} user, {why}"
    )
    return Panel(Group(*lines), title=Text(title), title_align="left")


Show = Callable[[Sequence[RunProgress]], None]
