"""The number of adapters on a server is bounded; what is needed now stays."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Engine

from services.core.db import phases, policies
from services.core.db.session import transaction
from services.core.db.tables import Adapter, Policy
from services.core.domain.phases import Owed, PhaseName
from services.core.llm.serving import Serving
from tests.core.db.builders import a_run
from tests.core.llm.shelf import Shelf


@pytest.fixture
def run_id(engine: Engine) -> str:
    """A run whose three adapters are published."""
    run = a_run(engine, rounds=4)
    with transaction(engine) as session:
        for round_ in (1, 2, 3):
            key = f"run-{run}-r{round_}"
            made = {"hyperparameters": {}, "threads": 1, "steps": 1, "wall_s": 1.0, "sha256": key}
            adapter = Adapter(key=key, run_id=run, round=round_, base="pocket", path=f"/{key}", **made)
            session.add(adapter)
            session.flush()
            session.add(Policy(name=key, base="pocket", run_id=run, round=round_, adapter_id=adapter.id))
    return run


def ensure(engine: Engine, server: Shelf, *names: str, most: int = 2) -> None:
    for name in names:
        with transaction(engine) as session:
            policy = policies.get_policy(session, name)
        asyncio.run(Serving(engine, most).ensure(server, policy))


def test_the_least_recently_needed_adapter_goes_first(engine: Engine, run_id: str) -> None:
    server = Shelf()
    one, two, three = (f"run-{run_id}-r{round_}" for round_ in (1, 2, 3))
    ensure(engine, server, one, two, one, three)
    assert set(server.adapters) == {one, three}


def test_an_adapter_that_a_running_shard_uses_stays(engine: Engine, run_id: str) -> None:
    server = Shelf()
    one, two, three = (f"run-{run_id}-r{round_}" for round_ in (1, 2, 3))
    ensure(engine, server, one, two)
    with transaction(engine) as session:
        phases.owe(session, run_id, Owed(2, PhaseName.SIMULATE, 10, 10))
        assert phases.claim_next(session, [PhaseName.SIMULATE], "w", 60)
    ensure(engine, server, three)
    assert set(server.adapters) == {one, three}


def test_an_adapter_that_went_comes_back_under_its_name(engine: Engine, run_id: str) -> None:
    server = Shelf()
    one, two, three = (f"run-{run_id}-r{round_}" for round_ in (1, 2, 3))
    ensure(engine, server, one, two, three, one)
    assert server.adapters == {three: Path(f"/{three}"), one: Path(f"/{one}")}


def test_the_base_needs_no_loading(engine: Engine, run_id: str) -> None:
    server = Shelf()
    ensure(engine, server, "pocket")
    assert server.asked == []
