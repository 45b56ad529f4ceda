"""Whatever is asked of whatever operation, by whomever: no 5xx, nothing that the description does not tell, one shape of failure.

No worker is running: a run that was cancelled is there with all that its rounds made, one that was worked to its end, and
another waits for workers that never come. Its events are watched too: a stream lives a twentieth of a second here.
"""

from typing import Any, Final

import pytest
from fastapi import FastAPI

from services.core.db import evaluations, tokens
from services.core.db.session import transaction
from services.core.db.trajectory_lists import Filter, ids
from services.core.domain.access import Scope
from services.core.operations import launching
from services.simulator.api import events
from tests.core.db.builders import a_run, close_next
from tests.simulator.api.fuzzing import Known, Undone, let_loose
from tests.simulator.api.service import SPEC, Api, as_launched_here
from tests.simulator.api.test_auth import contents
from tests.simulator.pages.worked import a_worked_run

OPEN: Final = {"GET /healthz", "GET /readyz"}
SCENARIO: Final = "wine"
QUICK: Final = ("examples", "fuzzing")
PHASES: Final = (*QUICK, "coverage", "stateful")
"""The bounds of values lie behind the question of who asks, so they are tried by the one who may."""


@pytest.fixture
def known(guarded: Api, monkeypatch: pytest.MonkeyPatch) -> Known:
    """What is there, and a database that has it."""
    monkeypatch.setattr(events, "LIFETIME_S", 0.05)
    monkeypatch.setattr(events, "POLL_S", 0.05)
    ended = a_worked_run(guarded, seed=8)
    while close_next(guarded.engine):
        pass
    as_launched_here(guarded.engine, ended)
    run = a_worked_run(guarded)
    a_run(guarded.engine, seed=9)
    sweep = guarded.client.post(
        "/v1/sweeps", json=SPEC | {"sweep": {"seed": [3, 4]}}, headers=guarded.bearer(Scope.LAUNCH)
    )
    with transaction(guarded.engine) as session:
        launching.cancel(session, run)
        tokens.create(session, SCENARIO, Scope.READ)  # paths call both by `name`
        evaluation = evaluations.rounds_of(session, run)[1]
        talk = ids(session, Filter(runs=(run,)), 1)[0]
    return {
        "path.run_id": (run, ended),
        "path.round": (1,),
        "path.sweep_id": (sweep.json()["id"],),
        "path.trajectory_id": (talk,),
        "path.evaluation_id": (evaluation,),
        "path.benchmark": ("mask",),
        "path.subset": ("known_facts",),
        "path.item": ("i00",),
        "path.key": (f"run-{run}-r1",),
        "path.environment": ("pocket",),
        "path.name": (SCENARIO,),
        "query.run": (run,),
        "query.sweep": (sweep.json()["id"],),
        "query.base": ("pocket",),
        "query.other": (f"run-{run}-r1",),
    }


def allowed(document: dict[str, Any], scope: Scope | None) -> set[str]:
    """The operations that a caller may use."""
    every = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    if scope is None:
        return OPEN
    if scope is Scope.READ:
        return {label for label in every if label.startswith("GET ")} - {"GET /v1/tokens"}
    return every


@pytest.mark.slow
@pytest.mark.parametrize("scope", [None, Scope.READ, Scope.ADMIN])
def test_whatever_is_asked_is_answered_as_described(guarded: Api, known: Known, scope: Scope | None) -> None:
    app = guarded.client.app
    assert isinstance(app, FastAPI)
    headers = {} if scope is None else guarded.bearer(scope)
    before, rung = contents(guarded.engine), list(guarded.rung)
    phases = PHASES if scope is Scope.ADMIN else QUICK
    found = let_loose(Undone(app, guarded.engine), app.openapi(), headers, known, phases)
    assert not found.complaints, "\n\n".join(found.complaints)
    assert found.answered(range(200, 300)) == allowed(app.openapi(), scope)
    if scope is not Scope.ADMIN:
        assert contents(guarded.engine) == before
        assert guarded.rung == rung
