"""Launching one spec twice at once: whoever comes second has the run of the first, wherever they meet. No other spec has it."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from services.core.db import runs
from services.core.db.session import transaction
from services.core.db.tables import Run
from services.core.domain.errors import StateConflict
from services.core.domain.identity import LaunchOutcome
from services.core.domain.phases import RunStatus
from services.core.queue import rounds
from tests.core.db.builders import a_new_run, a_run, close_next

READS = ("next_repetition", "latest_repetition")


@pytest.mark.parametrize("read", READS)
def test_a_launch_behind_either_read_is_found(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    quicker: list[str] = []
    ask = getattr(runs, read)

    def and_then_another_launches(*asked: Any) -> object:
        found = ask(*asked)
        monkeypatch.setattr(runs, read, ask)
        quicker.append(a_run(engine))
        return found

    monkeypatch.setattr(runs, read, and_then_another_launches)
    with transaction(engine) as session:
        mine = rounds.launch(session, a_new_run())
    assert mine == (quicker[0], LaunchOutcome.RESUMED)
    with transaction(engine) as session:
        assert session.execute(select(func.count()).select_from(Run)).scalar_one() == 1


@pytest.mark.parametrize("again", [False, True])
def test_a_run_that_ends_while_it_is_launched_is_found_finished(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    run_id = a_run(engine)
    ask = runs.latest_repetition

    def and_then_it_ends(*asked: Any) -> object:
        found = ask(*asked)
        while close_next(engine):
            pass
        return found

    monkeypatch.setattr(runs, "latest_repetition", and_then_it_ends)
    with transaction(engine) as session:
        launched = rounds.launch(session, a_new_run(), again)
        ended = runs.get_run(session, run_id)
    wanted = (f"{run_id}-2", LaunchOutcome.CREATED) if again else (run_id, LaunchOutcome.FINISHED)
    assert (launched, ended.status) == (wanted, RunStatus.SUCCEEDED)


def test_a_spec_whose_id_is_another_ones_does_not_get_its_run(engine: Engine) -> None:
    run_id = a_run(engine, name="first")
    mine = a_new_run(seed=2)
    with (
        transaction(engine) as session,
        pytest.raises(StateConflict, match=f"run id {run_id} is taken by another spec, 'first'; change"),
    ):
        rounds.launch(session, replace(mine, spec_hash=run_id + mine.spec_hash[8:]))
