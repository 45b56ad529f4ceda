"""What the API is given at its start, and how routes ask for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from services.core.db.session import transaction
from services.core.domain.identity import Fingerprints
from services.core.domain.spec import RunSpec
from services.core.settings import Settings
from services.simulator.scenarios import Environment


class Catalogue(Protocol):
    """What specs may name in this installation."""

    @property
    def environments(self) -> Mapping[str, Path]:
        """Return environment folders by name."""
        ...

    def environment(self, name: str, /) -> Environment:
        """Return an environment. Raises `SpecError`."""
        ...

    def check(self, spec: RunSpec) -> None:
        """Raise `SpecError` for whatever this installation can't serve."""
        ...

    def fingerprints(self, spec: RunSpec) -> Fingerprints:
        """Return the sha256 of everything that the spec names."""
        ...

    def item_count(self, spec: RunSpec) -> int:
        """Return how many items an evaluation has."""
        ...


@dataclass(frozen=True)
class ApiState:
    """Everything that routes need."""

    engine: Engine
    settings: Settings
    catalogue: Catalogue
    ring: Callable[[Sequence[str]], None]
    """Wakes workers for these runs; called after the commit that owes work."""


def get_state(request: Request) -> ApiState:
    """Return the API's state."""
    state: ApiState = request.app.state.api
    return state


State = Annotated[ApiState, Depends(get_state)]


def get_session(state: State) -> Iterator[Session]:
    """Open a request's one transaction; it commits when the route has returned, before the answer is sent."""
    with transaction(state.engine) as session:
        yield session


Database = Annotated[Session, Depends(get_session, scope="function")]
