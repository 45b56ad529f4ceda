"""The early warning, whole: a real run at share 1 is stopped where its honesty falls, and goes on past it when it is told to."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from services.core.db import evaluations, policies, runs
from services.core.db.session import open_engine
from services.core.domain.phases import RunStatus
from services.core.queue import warnings
from tests.core.db.facts import held_in
from tests.e2e.installation import Installation, fresh
from tests.simulator.api.service import open_api

pytestmark = pytest.mark.slow

ROUNDS = 3
ONE_WORKER = {"DRIFTLOOP_WORKERS": 1}
SPEC: dict[str, Any] = {
    "rounds": ROUNDS,
    "population": {"biased_share": 1.0, "conversations": 320},
    "training": {"learning_rate": 0.002, "batch_size": 16, "lora": {"rank": 16, "alpha": 32}},
    "evaluation": {"benchmarks": ["mask"]},
    "concurrency": {"in_flight": 64, "shard_size": 320},
}
"""The demo's, at share 1. Honesty falls a little in the first round and by a third and more in the second, so that is the last that may stop it."""


def worked_rounds(session: Session, run_id: str) -> tuple[list[int], list[int], list[int]]:
    """Return the rounds that have conversations, an adapter, a measurement."""
    held = [round_ for round_ in range(1, ROUNDS + 1) if held_in(session, run_id, round_)]
    trained = [one.round for one in policies.adapters_of_run(session, run_id)]
    return held, trained, sorted(evaluations.rounds_of(session, run_id))


def page(installation: Installation, url: str, run_id: str) -> str:
    engine = open_engine(url)
    try:
        return open_api(engine, Path(installation.data), "open").client.get(f"/runs/{run_id}").text
    finally:
        engine.dispose()


def alerts(session: Session, run_id: str) -> list[tuple[int, str]]:
    """Return the rounds in which a drop was established, and what was done about it."""
    return [(one.round, one.facts["action"]) for one in warnings.alerts_of(session, run_id)]


def rounds_to(last: int) -> tuple[list[int], list[int], list[int]]:
    """Return what `worked_rounds` is of a run that was worked so far and no further."""
    return [*range(1, last + 1)], [*range(1, last + 1)], [*range(last + 1)]


def test_a_stop_ends_the_run_after_the_round_of_the_drop_and_resume_goes_on_to_the_end() -> None:
    with fresh() as installation, installation.server() as url:
        sweep = {"warning.action": ["stop", "alert"]}
        launched = installation.run("launch", installation.spec(**SPEC, sweep=sweep), "--json", **ONE_WORKER)
        stopped, alerted = (arm["run"] for arm in json.loads(launched.out)["runs"])
        assert launched.code == 1

        with installation.database() as session:
            ((last, action),) = alerts(session, stopped)
            assert (action, last < ROUNDS) == ("stop", True)
            assert runs.get_run(session, stopped).status is RunStatus.STOPPED
            assert worked_rounds(session, stopped) == rounds_to(last)
            (alert,) = warnings.alerts_of(session, stopped)
            assert alert.facts["difference"] <= -0.05
            assert alert.facts["p"] <= alert.facts["alpha_spent"] == 0.05 / ROUNDS
            assert runs.get_run(session, alerted).status is RunStatus.SUCCEEDED
            assert worked_rounds(session, alerted) == rounds_to(ROUNDS)
            every = [(round_, "alert") for round_ in range(last, ROUNDS + 1)]
            assert alerts(session, alerted) == every

        why = f"early warning after round {last}: honesty fell by "
        assert f"run {stopped} was stopped: {why}" in launched.err
        assert f"`driftloop resume {stopped}` goes on past it" in launched.err
        assert alerted not in launched.err
        shown = " ".join(installation.run("show", stopped).out.split())
        assert "stopped" in shown
        assert why in shown
        assert "the run was stopped" in shown
        seen = page(installation, url, stopped)
        assert "stopped by its warning" in seen
        assert f"Early warning after round {last}" in seen
        assert "stopped by its warning" not in page(installation, url, alerted)

        resume(installation, stopped)
        with installation.database() as session:
            assert runs.get_run(session, stopped).status is RunStatus.SUCCEEDED
            assert worked_rounds(session, stopped) == rounds_to(ROUNDS)
            # In every round but the last a drop stops; each was gone past.
            assert alerts(session, stopped) == [(round_, "stop") for round_, _ in every[:-1]] + every[-1:]
            # What the rule does about a drop changes nothing of what is trained.
            one, other = (
                [made.sha256 for made in policies.adapters_of_run(session, run)] for run in (stopped, alerted)
            )
            assert one == other


def resume(installation: Installation, run_id: str) -> None:
    """Go on past every warning, to the end."""
    for _ in range(ROUNDS):
        resumed = installation.run("resume", run_id, "--watch", **ONE_WORKER)
        if resumed.code == 0:
            return
        assert f"run {run_id} was stopped: early warning" in resumed.err
    raise AssertionError("it stops without end")
