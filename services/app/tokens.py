"""`driftloop tokens`: who may use the REST API. It works on the database itself, since the first token can't be asked for with one."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.app.look import print_json
from services.app.service import open_service
from services.core.db import tokens
from services.core.db.session import transaction
from services.core.db.tokens import Scope
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
    with open_service(Settings()) as service, transaction(service.engine) as session:
        secret = tokens.create(session, name, scope)
    print(secret)


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False) -> None:
    """List all tokens, oldest first; never their secrets."""
    with open_service(Settings()) as service, transaction(service.engine) as session:
        found = tokens.list_tokens(session)
    if as_json:
        print_json(
            [
                {"name": one.name, "scope": one.scope, "created_at": one.created_at.isoformat()}
                for one in found
            ]
        )
        return
    table = Table("name", "scope", "made")
    for one in found:
        table.add_row(Text(one.name), one.scope, f"{one.created_at:%Y-%m-%d %H:%M}")
    console.print(table)


@app.command()
def revoke(name: Name) -> None:
    """Make a token worthless, at once."""
    with open_service(Settings()) as service, transaction(service.engine) as session:
        tokens.revoke(session, name)
