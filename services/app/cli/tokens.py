"""`driftloop tokens`: who may use the REST API.

Without DRIFTLOOP_URL these work on the database that DATABASE_URL names, or the embedded one, and need no token: that is how the
first one is made.
"""

from typing import Annotated

import typer
from rich.console import Console

from services.app.cli.terminal import print_json, token_table
from services.app.service import reach
from services.core.domain.access import Scope
from services.core.settings import Settings

console = Console()
app = typer.Typer(no_args_is_help=True, help="Tokens of the REST API.")
Name = Annotated[str, typer.Argument(help="Whose token, or what it is for.")]


@app.command()
def create(
    name: Name,
    scope: Annotated[
        Scope, typer.Option(help="read: look; launch: also launch, cancel, resume; admin: also delete.")
    ] = Scope.LAUNCH,
) -> None:
    """Make a token and print it, this once: only its hash is kept."""
    with reach(Settings()) as service:
        made = service.client.tokens.create(name, scope)
    print(made.token)


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False) -> None:
    """List all tokens, oldest first; never their secrets."""
    with reach(Settings()) as service:
        found = list(service.client.tokens.list())
    if as_json:
        print_json(found)
    else:
        console.print(token_table(found))


@app.command()
def revoke(name: Name) -> None:
    """Make a token worthless, at once."""
    with reach(Settings()) as service:
        service.client.tokens.revoke(name)
