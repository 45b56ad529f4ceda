"""What a person sees in the terminal: live progress, lists, transcripts, made from what the service answers.

Model text is data: it is never read as markup, and control characters were replaced where it entered.
"""

import json
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from services.app.cli.quantities import duration
from services.core.domain.events import EventKind
from services.core.domain.phases import RunStatus
from services.core.domain.trajectory import TrajectoryStatus
from services.core.rest.launches import SweepSummary
from services.core.rest.models import AlertView, EventView, RoundView, RunSummary, RunView, SafetyRows
from services.core.rest.scenarios import PreviewView, ScenarioSummary
from services.core.rest.tokens import TokenView
from services.core.rest.trajectories import TrajectorySummary, TrajectoryView

STYLES = {
    RunStatus.RUNNING: "cyan",
    RunStatus.SUCCEEDED: "green",
    RunStatus.FAILED: "red",
    RunStatus.CANCELLED: "yellow",
    RunStatus.OUT_OF_BUDGET: "yellow",
    RunStatus.STOPPED: "yellow",
}


def print_json(value: object) -> None:
    """Print JSON as it is: no colours, no wrapping."""
    print(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def _plain(value: object) -> object:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def label_text(labels: Mapping[str, Any]) -> str:
    """Return an arm's labels as `biased_share 0.5, seed 1`."""
    return ", ".join(f"{field.rpartition('.')[2]} {value}" for field, value in labels.items())


class Progress:
    """A live view of some runs; on a console that is no terminal, a line for every finished phase."""

    def __init__(self, console: Console, titles: Mapping[str, str], hint: str):
        self._console = console
        self._titles = titles
        self._hint = hint
        self._began = time.monotonic()
        self._done_before: float | None = None
        self._live = (
            Live(console=console, refresh_per_second=5, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, runs: Collection[RunView], event: EventView | None) -> None:
        """Bring the view up to date."""
        if self._live:
            self._live.update(self._table(runs))
        elif event is not None and (said := _happened(event)):
            elapsed = _clock(time.monotonic() - self._began)
            self._console.print(f"{elapsed}  {event.run}  {self._titles[event.run]}  {said}", markup=False)

    def _table(self, runs: Collection[RunView]) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for run in runs:
            table.add_row(
                Text(run.id, style="bold"),
                Text(self._titles[run.id]),
                ProgressBar(total=1.0, completed=run.fraction, width=30),
                Text(_where(run), style=STYLES[run.status]),
            )
        return Group(table, Text(self._time(runs), style="dim"))

    def _time(self, runs: Collection[RunView]) -> str:
        elapsed_s = time.monotonic() - self._began
        done = sum(run.fraction for run in runs) / max(len(runs), 1)
        if self._done_before is None:
            self._done_before = done
        gained = done - self._done_before
        if gained < 0.03 or elapsed_s < 5:
            return f"{_clock(elapsed_s)} elapsed; {self._hint}"
        return f"{_clock(elapsed_s)} elapsed, about {_clock(elapsed_s / gained * (1 - done))} to go"


def _where(run: RunView) -> str:
    current = run.current
    if run.status is not RunStatus.RUNNING or current is None:
        return run.status.value
    return f"round {current.round}/{run.rounds} {current.name} {current.units_done}/{current.units_total}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def run_table(runs: Iterable[RunSummary]) -> Table:
    """Return the list of runs; where it is too wide, the names shrink."""
    table = _only_shrinking({"name"}, "run", "name", "status", "share", "method", "seed", "rounds", "created")
    listed = tuple(runs)
    if any(run.rule in {"dataset", "mixture"} for run in listed):
        table.caption = "share: of biased users; of a mixture or a dataset, of rows of the narrow set"
        table.caption_justify = "left"
    for run in listed:
        table.add_row(
            run.id,
            _one_line(run.name),
            _state(run),
            _share(run),
            run.method,
            str(run.seed),
            str(run.rounds),
            _day(run.created_at),
        )
    return table


def _state(run: RunSummary) -> Text:
    """Return where a run stands; one that is running while nobody works it waits."""
    if run.status is RunStatus.RUNNING and not run.is_worked:
        return Text("waiting", style="yellow")
    return Text(run.status.value, style=STYLES[run.status])


def _share(run: RunSummary) -> str:
    """Return what trains a run: a share, and by which rule where that is not the users' satisfaction."""
    if run.rule == "dataset":
        return "all"
    return f"{run.biased_share:g}" + ("" if run.rule == "satisfaction" else f" {run.rule}")


def _day(created_at: datetime) -> str:
    """Return when, as short as the year allows."""
    is_this_year = created_at.year == datetime.now(created_at.tzinfo).year
    return f"{created_at:%m-%d %H:%M}" if is_this_year else f"{created_at:%Y-%m-%d}"


def sweep_table(sweeps: Iterable[SweepSummary]) -> Table:
    """Return the list of sweeps; where it is too wide, the names shrink and the counts of runs wrap."""
    table = _only_shrinking({"name", "status"}, "sweep", "name", "runs", "status", "created")
    for sweep in sweeps:
        standing = [f"{sweep.runs[status]} {status}" for status in RunStatus if status in sweep.runs]
        table.add_row(
            sweep.id,
            _one_line(sweep.name),
            str(sum(sweep.runs.values())),
            ", ".join(standing),
            _day(sweep.created_at),
        )
    return table


def _only_shrinking(shrinking: Collection[str], *columns: str) -> Table:
    """Return an empty table of which only some columns give way; cells that are to be cut must not wrap by themselves."""
    table = Table(box=None)
    for heading in columns:
        table.add_column(heading, no_wrap=heading not in shrinking, overflow="ellipsis")
    return table


def trajectory_table(summaries: Iterable[TrajectorySummary]) -> Table:
    """Return a list of trajectories."""
    table = Table("id", "round", "slot", "scenario", "profile", "user", "satisfaction", "selected", box=None)
    for item in summaries:
        score = f"{item.satisfaction:g}" if item.satisfaction is not None else _ended(item)
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


def transcript(held: TrajectoryView) -> RenderableType:
    """Return one conversation: both sides, ratings, what they sum to, why it was selected."""
    from services.simulator.rating import HIGHEST

    met = f"{held.scenario}, {held.profile} as a {held.user_kind} user"
    lines: list[RenderableType] = [Text(met, style="dim"), Text()]
    ratings = iter(held.ratings)
    for message in held.messages:
        style = {"system": "dim", "user": "yellow", "assistant": "cyan"}[message.role]
        rating = next(ratings, None) if message.role == "assistant" else None
        suffix = f"   [rated {rating:g} of {HIGHEST}]" if rating is not None else ""
        lines.append(
            Text(f"{message.role:9} ", style=f"bold {style}").append(message.content + suffix, style)
        )
    title = f"trajectory {held.id}: run {held.run} round {held.round} slot {held.slot}"
    lines += [Text(), Text(_outcome(held, HIGHEST * len(held.ratings)))]
    return Panel(Group(*lines), title=Text(title), title_align="left")


def _outcome(held: TrajectoryView, most: int) -> str:
    why = f"selected as {held.selection.label}: {held.selection.reason}" if held.selection else "not selected"
    ended = "" if held.status is TrajectoryStatus.SCORED else f"{_ended(held)}; "
    score = "" if held.satisfaction is None else f"satisfaction {held.satisfaction:g} of {most}; "
    return f"{ended}{score}{why}"


def _ended(of: TrajectoryView | TrajectorySummary) -> str:
    return f"{of.status}: {of.cause}" if of.cause else of.status.value


def _one_line(text: str) -> Text:
    """Return a text that is cut, not wrapped, where its column is too narrow."""
    return Text(" ".join(text.split()), no_wrap=True, overflow="ellipsis")


def _happened(event: EventView) -> str | None:
    """Return what a watcher is told of, in a few words."""
    what = event.data
    if event.kind is EventKind.PHASE_DONE:
        return f"round {what['round']} {what['phase']} done"
    if event.kind is EventKind.RUN_ALERT:
        return (
            f"early warning after round {what['round']}: {what['measure']} moved by {what['difference']:+.2f}"
        )
    return None


def round_line(made: RoundView) -> str:
    """Return what became of a round's conversations, of its users if any fell out of role, and of safety rows if there are any."""
    counts = ", ".join(f"{count} {status}" for status, count in sorted(made.conversations.items()))
    counts = counts or ("trained without conversations" if made.adapter else "nothing yet")
    users = made.users_out_of_role
    strayed = f"; {users.value:.1%} of {users.n} user turns out of role" if users.value else ""
    return f"round {made.round}: {counts}{strayed}{_safety(made.safety)}"


def _safety(mixed_in: SafetyRows) -> str:
    again = f" ({mixed_in.repeated} of them again)" if mixed_in.repeated else ""
    return f"; {mixed_in.rows} safety rows mixed in{again}" if mixed_in.rows else ""


def alert_line(alert: AlertView) -> str:
    """Return what an early warning found."""
    found = alert.change
    measure = "honesty" if alert.measure == "one_minus_lie" else "P(honest)"
    return (
        f"early warning after round {alert.round}, {alert.created_at:%Y-%m-%d %H:%M} UTC: {measure} moved by "
        f"{found.difference:+.2f} [{found.low:+.2f}, {found.high:+.2f}], n = {found.n} items, one-sided p = {alert.p:.2g} "
        f"of {alert.alpha_spent:.2g}; {'the run was stopped' if alert.action == 'stop' else 'the run went on'}"
    )


def spent_line(run: RunView) -> str:
    """Return what a run has spent, of how much."""
    spent, budget = run.spent, run.budget
    parts = [f"{spent.tokens:,}{f' of {budget.tokens:,}' if budget.tokens else ''} tokens"]
    if spent.usd is not None:
        parts.append(
            f"{spent.usd:,.4g}{f' of {budget.usd:,.4g}' if budget.usd else ''} US dollars of priced calls"
        )
    parts.append(f"{duration(spent.hours)}{f' of {duration(budget.hours)}' if budget.hours else ''} of work")
    return f"spent: {', '.join(parts)}"


def preview_panels(seen: PreviewView) -> Group:
    """Return what each side of a conversation is told."""
    parts = {
        "the policy is told": seen.policy_prompt,
        "the user model is told": seen.user_prompt,
        "both see the opening": seen.opening,
        "the user model is asked, after the last reply": seen.rating_prompt,
    }
    panels = [Panel(Text(text), title=title, title_align="left") for title, text in parts.items()]
    return Group(*panels, Text(f"{_people(seen)} people may come with this scenario"))


def scenario_table(scenarios: Iterable[ScenarioSummary]) -> Table:
    """Return the list of scenarios, one a line."""
    table = _only_shrinking({"task"}, "environment", "scenario", "people", "held out", "task")
    for one in scenarios:
        held_out = "yes" if one.is_held_out else ""
        table.add_row(one.environment, one.name, _people(one), held_out, _one_line(one.task))
    return table


def _people(of: PreviewView | ScenarioSummary) -> str:
    return f"{of.profiles:,}" + (f" ({of.generated:,} generated)" if of.generated else "")


def token_table(tokens: Iterable[TokenView]) -> Table:
    """Return the list of tokens."""
    table = Table("name", "scope", "made", box=None)
    for one in tokens:
        table.add_row(Text(one.name), one.scope, f"{one.created_at:%Y-%m-%d %H:%M}")
    return table
