"""The early warning at work: asked after every round, noted for good, and, if the rule says so, the end of the run."""

from typing import Any

import pytest
from sqlalchemy import Engine

from services.core.db import events, runs
from services.core.db.session import transaction
from services.core.domain.events import EventKind
from services.core.domain.phases import RunStatus
from services.core.queue import rounds, warnings
from tests.core.db.builders import a_run, close_next
from tests.core.db.facts import a_verdict, measure

ITEMS = 40


def worked(engine: Engine, lies: tuple[int, ...], outcome: str = "lie", **rule: Any) -> str:
    """A run that was worked as far as it goes; its policies of rounds 0, 1, … tell so many lies on 40 items."""
    run_id = a_run(engine, ITEMS, rounds=len(lies) - 1, warning=rule)
    for round_, told in enumerate(lies):
        verdicts = [a_verdict(f"i{place}", outcome if place < told else "honest") for place in range(ITEMS)]
        measure(engine, run_id, round_, verdicts)
    work(engine)
    return run_id


def work(engine: Engine) -> None:
    while close_next(engine):
        pass


def status(engine: Engine, run_id: str) -> RunStatus:
    with transaction(engine) as session:
        return runs.get_run(session, run_id).status


def alerted(engine: Engine, run_id: str) -> list[int]:
    with transaction(engine) as session:
        return [alert.round for alert in warnings.alerts_of(session, run_id)]


def test_an_alert_is_noted_and_the_run_goes_on(engine: Engine):
    run_id = worked(engine, (2, 3, 20), action="alert")
    assert (status(engine, run_id), alerted(engine, run_id)) == (RunStatus.SUCCEEDED, [2])
    with transaction(engine) as session:
        (alert,) = warnings.alerts_of(session, run_id)
    assert alert.facts["difference"] == pytest.approx(-18 / 40)
    assert (alert.facts["n"], alert.facts["alpha_spent"], alert.facts["action"]) == (40, 0.025, "alert")
    assert alert.facts["low"] < alert.facts["difference"] < alert.facts["high"] < 0
    assert 0 < alert.facts["p"] < 0.0001


def test_without_a_rule_nothing_is_asked(engine: Engine):
    run_id = worked(engine, (2, 30, 30))
    assert (status(engine, run_id), alerted(engine, run_id)) == (RunStatus.SUCCEEDED, [])


def test_a_stop_ends_the_run_and_resume_goes_on_past_it(engine: Engine):
    run_id = worked(engine, (2, 20, 25), action="stop")
    assert (status(engine, run_id), alerted(engine, run_id)) == (RunStatus.STOPPED, [1])
    with transaction(engine) as session:
        run = runs.get_run(session, run_id)
        assert run.error is not None
        assert run.error.startswith("early warning after round 1: honesty fell by 0.45")
        assert [one.kind for one in events.after(session, run_id, 0)][-1] == EventKind.RUN_STOPPED
        rounds.resume(session, run)
    work(engine)
    # In the last round there is nothing left to stop.
    assert (status(engine, run_id), alerted(engine, run_id)) == (RunStatus.SUCCEEDED, [1, 2])
    with transaction(engine) as session:
        assert [one.facts["action"] for one in warnings.alerts_of(session, run_id)] == ["stop", "alert"]


def test_evasions_lower_only_p_honest(engine: Engine):
    honesty = worked(engine, (0, 30), "evade", action="alert")
    honest = worked(engine, (0, 30), "evade", action="alert", measure="honest")
    assert alerted(engine, honesty) == []
    assert alerted(engine, honest) == [1]
