"""`driftloop profiles`: have models write people for an environment's scenarios."""

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from services.app.cli.terminal import print_json
from services.core.domain.errors import SpecError
from services.core.domain.trajectory import Scenario
from services.core.llm.model import ChatModel
from services.core.settings import Settings
from services.core.stats.rates import rate
from services.simulator.profiles.generate import Generation, Order
from services.simulator.profiles.ledger import open_ledger
from services.simulator.profiles.lines import FOLDER
from services.simulator.profiles.tally import Account, Tally
from services.simulator.profiles.writer import Writer, read_writer
from services.simulator.scenarios import Environment, load_environment

WRITERS = "gpt-4.1-mini,gpt-5-mini,grok-3-mini,gemini-2.5-flash"
"""Who wrote the paper's people (arXiv 2510.08211, section 3.1)."""
REFRESH_S = 0.25
console = Console()
app = typer.Typer(no_args_is_help=True, help="People that models write for an environment's scenarios.")


@app.callback()
def _profiles() -> None:  # pyright: ignore[reportUnusedFunction]  # without it the only command would lose its name
    """People that models write for an environment's scenarios."""


@app.command()
def generate(  # noqa: PLR0913, PLR0917  # one parameter an option
    environment: Annotated[str, typer.Argument(help="Such as therapist.")] = "therapist",
    scenarios: Annotated[str | None, typer.Option(help="Only these, with commas; all unless named.")] = None,
    per_scenario: Annotated[int, typer.Option(min=1, max=9999, help="People wanted of each.")] = 400,
    models: Annotated[str, typer.Option(help="Endpoints that take turns, with commas.")] = WRITERS,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder; the environment's own unless named.")] = None,
    in_flight: Annotated[int, typer.Option(min=1, max=1000, help="Calls at once, of each model.")] = 16,
    budget_usd: Annotated[
        float | None, typer.Option(min=0, help="Spend no more on the folder, earlier calls included.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Ask models for people until every scenario has enough; the same command goes on where it was stopped."""
    from services.app.catalogue import Catalogue, known_endpoints, registered

    settings = Settings()
    home = registered(Catalogue(settings).environments, environment, "environment")
    names = _listed(models)
    for name in names:
        registered(known_endpoints(settings), name, "--models")
    folder = out or home / FOLDER
    writer = Writer(read_writer(home), seed)
    with open_ledger(folder) as ledger:
        known = load_environment(home)
        order = Order(_chosen(known, scenarios), per_scenario, names, in_flight, budget_usd)
        generation = Generation(order, writer, ledger, known)
        asyncio.run(_run(generation, names, settings, View(Console(stderr=True) if as_json else console)))
    _tell(generation, folder, as_json)


def _listed(names: str) -> tuple[str, ...]:
    listed = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not listed:
        raise SpecError("--models: names no model; name one or more, with commas between them")
    return listed


def _chosen(environment: Environment, names: str | None) -> tuple[Scenario, ...]:
    from services.app.catalogue import registered

    known = {scenario.name: scenario for scenario in environment.scenarios}
    wanted = sorted(_listed(names)) if names is not None else known
    return tuple(registered(known, name, "--scenarios") for name in wanted)


async def _run(generation: Generation, names: tuple[str, ...], settings: Settings, view: "View") -> None:
    from services.app.directory import LocalDirectory
    from services.app.logs import log_to_file

    log_to_file(settings, "profiles")
    directory = LocalDirectory(settings)
    try:
        models: Mapping[str, ChatModel] = {name: directory.user(name) for name in names}
        with view:
            await generation.run(models, view.show)
    finally:
        await directory.close()


def _tell(generation: Generation, folder: Path, as_json: bool) -> None:
    tally = generation.tally
    if as_json:
        ended = "complete" if tally.is_complete else "budget" if generation.is_spent else "incomplete"
        print_json({"ended": ended, "folder": str(folder), **tally.as_json()})
    else:
        console.print(account_table(tally), _rejections(tally))
        console.print(Text(f"{tally.there:,} of {tally.wanted:,} people are in {folder}"), soft_wrap=True)
        if not tally.is_complete:
            why = "the budget is spent" if generation.is_spent else f"{tally.given_up} were asked for in vain"
            console.print(f"{why}; the same command goes on from here")
    if not tally.is_complete:
        sys.exit(1)


class View:
    """Live progress; on a console that is no terminal, a line every tenth of the way."""

    def __init__(self, console: Console):
        self._console = console
        self._shown_at = 0.0
        self._tenth: int | None = None
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> "View":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, tally: Tally) -> None:
        """Bring the view up to date."""
        if self._live:
            if time.monotonic() - self._shown_at > REFRESH_S:
                self._shown_at = time.monotonic()
                self._live.update(_progress(tally), refresh=True)
            return
        tenth = 10 * tally.there // tally.wanted
        if self._tenth is not None and tenth > self._tenth:
            asked = f"{tally.total.asked:,} asked, {_money(tally.total)}"
            self._console.print(f"{tally.there:,} of {tally.wanted:,} people; {asked}", highlight=False)
        self._tenth = tenth


def _progress(tally: Tally) -> RenderableType:
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        ProgressBar(total=tally.wanted, completed=tally.there, width=40), f"{tally.there:,}/{tally.wanted:,}"
    )
    return Group(bar, account_table(tally), _rejections(tally))


def account_table(tally: Tally) -> Table:
    """Return what was asked into a folder so far, by model."""
    table = Table(
        "model", "asked", "accepted", "share", "95 % interval", "tokens", "USD", "no price", box=None
    )
    for name, account in (*sorted(tally.models.items()), ("all", tally.total)):
        share = rate(account.accepted, account.asked)
        known = share.value is not None
        table.add_row(
            Text(name),
            f"{account.asked:,}",
            f"{account.accepted:,}",
            f"{share.value:.1%}" if known else "",
            f"{share.low:.1%} – {share.high:.1%}" if known else "",
            f"{account.prompt_tokens + account.completion_tokens:,}",
            f"{account.cost_usd:.2f}",
            f"{account.unpriced:,}",
        )
    return table


def _rejections(tally: Tally) -> Text:
    causes = ", ".join(f"{count:,} {cause}" for cause, count in tally.total.rejected.most_common())
    return Text(f"rejected: {causes or 'none'}")


def _money(account: Account) -> str:
    unknown = f" + {account.unpriced:,} calls of unknown price" if account.unpriced else ""
    return f"{account.cost_usd:.2f} USD{unknown}"
