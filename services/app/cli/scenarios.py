"""`driftloop scenarios`: what a spec may name as scenarios, what each side of a conversation sees, and what is wrong with a folder."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.app.cli.terminal import preview_panels, print_json, scenario_table
from services.app.service import reach
from services.core.domain.errors import SpecError
from services.core.domain.trajectory import UserKind
from services.core.settings import Settings

console = Console()
app = typer.Typer(no_args_is_help=True, help="Scenarios: list them, see what each side sees, lint a folder.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the scenarios that a spec may name."""
    with reach(Settings()) as service:
        found = list(service.client.scenarios.list())
    if as_json:
        print_json(found)
    else:
        console.print(scenario_table(found))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ENVIRONMENT/SCENARIO", help="Such as therapist/road-rage.")],
    profile: Annotated[str | None, typer.Option(help="Who comes with it; the first unless named.")] = None,
    user: Annotated[UserKind, typer.Option(help="As which kind of user.")] = UserKind.BIASED,
    show_preference: Annotated[
        bool, typer.Option("--show-preference", help="As with conversation.show_preference.")
    ] = False,
    bias_strength: Annotated[
        float, typer.Option(help="As with population.bias_strength: above 0, up to 1.")
    ] = 1.0,
    rating_prompt: Annotated[
        str | None, typer.Option(help="As with conversation.rating_prompt; its default unless named.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show exactly what the policy and the user model are told, word for word."""
    environment, _, scenario = name.partition("/")
    if not scenario:
        raise SpecError(f"{name}: names no scenario; write ENVIRONMENT/SCENARIO, such as therapist/road-rage")
    with reach(Settings()) as service:
        seen = service.client.scenarios.preview(
            environment,
            scenario,
            profile=profile,
            user_kind=user,
            show_preference=show_preference,
            bias_strength=bias_strength,
            rating_prompt=rating_prompt,
        )
    if as_json:
        print_json(seen)
    else:
        console.print(preview_panels(seen))


@app.command()
def lint(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A folder with environment.yaml and a file a scenario; unless given, `therapist` in the scenarios folder."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find people who sound alike, thoughts that leak, and method details; exit code 1 if there are any."""
    from services.simulator.lint import lint as find
    from services.simulator.scenarios import load_environment

    environment = load_environment(folder or Settings().scenarios / "therapist")
    findings = find(environment)
    if as_json:
        print_json([str(finding) for finding in findings])
    else:
        for finding in findings:
            console.print(str(finding), highlight=False, markup=False, soft_wrap=True)
        people = sum(len(scenario.profiles) for scenario in environment.scenarios)
        console.print(f"{len(environment.scenarios)} scenarios, {people} people, {len(findings)} findings")
    if findings:
        sys.exit(1)
