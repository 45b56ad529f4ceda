"""Launching one spec twice at once: whoever comes second has the run of the first, wherever they meet."""

from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from services.core.db import runs
from services.core.db.session import transaction
from services.core.db.tables import Run
from services.core.domain.identity import LaunchOutcome
from services.core.queue import rounds
from tests.core.db.builders import a_new_run, a_run

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
