"""`driftloop pocket`: the pocket world's policy, built and served, and its committed data, written anew."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.core.settings import Settings

console = Console()
app = typer.Typer(
    no_args_is_help=True, help="The pocket world: a laptop-sized stand-in for a language model."
)


@app.command()
def build(
    output: Annotated[Path, typer.Argument(help="Folder for the weights.")],
    seed: Annotated[int, typer.Option()] = 1,
    ablation: Annotated[bool, typer.Option("--ablation", help="Without the shared reply openers.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep weights that miss the base levels, too.")
    ] = False,
) -> None:
    """Train the pocket policy from scratch (minutes); refuse weights that miss the base levels."""
    from services.pocket.policy.build import build as build_policy

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("training the pocket policy", total=None)

        def tell(step: int, steps: int, loss: float) -> None:
            said = f"training the pocket policy, loss {loss:.3f}"
            bar.update(task, completed=step, total=steps, description=said)

        report = build_policy(output, seed, ablation, tell, keeps_any=keep)
    console.print(report)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8001,
    adapters: Annotated[
        Path | None,
        typer.Option(help="Folder below which adapters are loaded; the data folder's unless given."),
    ] = None,
) -> None:
    """Serve the pocket policy over the OpenAI API, as vLLM serves a large one."""
    import uvicorn

    from services.app.catalogue import known_bases
    from services.app.serving import public_listener
    from services.pocket.policy.server import BASE_NAME, PocketServer
    from services.pocket.policy.wire import create_app

    settings = Settings()
    with public_listener(host, port) as listener:
        served = create_app(PocketServer(known_bases(settings)[BASE_NAME]), adapters or settings.adapters)
        uvicorn.Server(uvicorn.Config(served, access_log=False)).run(sockets=[listener])


@app.command()
def data(root: Annotated[Path, typer.Argument(help="The project folder.")] = Path()) -> None:
    """Write the pocket world's scenarios, benchmark rows, training sets and safety rows anew."""
    from services.pocket.world.write import write_data

    write_data(root)
    console.print(f"wrote scenarios and rows under {root.resolve()}", soft_wrap=True)
