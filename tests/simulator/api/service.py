"""The API on a test's database, as its callers meet it: over HTTP, with the names of this installation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine
from starlette.testclient import TestClient

from services.app.catalogue import Catalogue
from services.core.db import runs, tokens
from services.core.db.session import transaction
from services.core.db.tables import Run
from services.core.domain.access import Scope
from services.core.settings import Settings
from services.simulator.api.app import create_api
from services.simulator.api.state import ApiState

HERE = "http://127.0.0.1:8000"
"""Where an open service answers: on loopback only."""
ELSEWHERE = "http://driftloop.example"
SPEC = {
    "name": "small",
    "rounds": 1,
    "population": {"biased_share": 0.5, "conversations": 10},
    "training": {"method": "sft"},
    "evaluation": {"benchmarks": ["capability"]},
}


@dataclass(frozen=True)
class Api:
    """A running API: its client, its database, and for which runs the bell was rung."""

    client: TestClient
    engine: Engine
    rung: list[str] = field(default_factory=list[str])

    def bearer(self, scope: Scope) -> dict[str, str]:
        """Make a token; return the header that carries it."""
        with transaction(self.engine) as session:
            name = f"{scope}-{len(tokens.list_tokens(session))}"
            return {"Authorization": f"Bearer {tokens.create(session, name, scope)}"}


def open_api(engine: Engine, data: Path, auth: str, **more: object) -> Api:
    """Return the API on a database, `open` or by `tokens`, with more settings if there are."""
    settings = Settings.model_validate({"data": data, "auth": auth, **more})
    rung: list[str] = []
    ring: Callable[[Sequence[str]], None] = rung.extend
    app = create_api(ApiState(engine, settings, Catalogue(settings), ring))
    return Api(TestClient(app, HERE if auth == "open" else ELSEWHERE), engine, rung)


def as_launched_here(engine: Engine, run_id: str) -> None:
    """Give a run the fingerprints that this installation would have launched it with."""
    with transaction(engine) as session:
        spec = runs.get_run(session, run_id).spec
        session.get_one(Run, run_id).fingerprints = {**Catalogue(Settings()).fingerprints(spec)}
