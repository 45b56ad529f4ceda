"""All pages, as one piece that the application takes in."""

from fastapi import FastAPI

from services.core.operations.measured import Measured
from services.simulator.pages import assets, compare, entrance, held_out, launch, run, runs, trajectories


def add_pages(app: FastAPI) -> None:
    """Let an application show pages."""
    app.state.measured = Measured()
    for part in (assets, entrance, runs, launch, run, held_out, trajectories, compare):
        app.include_router(part.router)
