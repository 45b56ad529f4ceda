"""What pages have worked out already: one memory an application."""

from typing import Annotated

from fastapi import Depends, Request

from services.core.operations.measured import Measured


def get_memory(request: Request) -> Measured:
    """Return the application's memory of measures."""
    found: Measured = request.app.state.measured
    return found


Memory = Annotated[Measured, Depends(get_memory)]
