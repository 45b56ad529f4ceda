"""What the API is given at its start, and how routes ask for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from services.core.db.session import after_commit, transaction
from services.core.operations import planning
from services.core.settings import Settings
from services.simulator.scenarios import Environment


class Catalogue(planning.Catalogue, Protocol):
    """What specs may name in this installation, and what people may want to read of it."""

    @property
    def environments(self) -> Mapping[str, Path]:
        """Return environment folders by name."""
        ...

    def environment(self, name: str, /) -> Environment:
        """Return an environment. Raises `SpecError`."""
        ...

    def environment_sha256(self, name: str, /) -> str:
        """Return what stands for an environment in fingerprints. Raises `SpecError`."""
        ...


@dataclass(frozen=True)
class ApiState:
    """Everything that routes need."""

    engine: Engine
    settings: Settings
    catalogue: Catalogue
    ring: Callable[[Sequence[str]], None]
    """Wakes workers for these runs. Called after the commit that owes work, and never raises: a wake-up may be lost."""

    def ring_after(self, session: Session, run_ids: Sequence[str]) -> None:
        """Wake workers for these runs once the transaction has been committed."""
        after_commit(session, lambda: self.ring(run_ids))


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
