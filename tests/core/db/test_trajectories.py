"""Reading conversations back: what a selection looks at."""

from sqlalchemy import Engine

from services.core.db import trajectories
from services.core.db.session import transaction
from services.core.domain.selection import Candidate
from services.core.domain.trajectory import TrajectoryStatus
from tests.core.db.builders import a_run
from tests.core.db.facts import a_trajectory, hold


def test_candidates_are_a_rounds_scored_conversations_by_slot(engine: Engine) -> None:
    run, other = a_run(engine, seed=1), a_run(engine, seed=2)
    failed = a_trajectory(1, status=TrajectoryStatus.FAILED, cause="timeout", ratings=())
    hold(engine, run, 1, [a_trajectory(2, ratings=(7,)), failed, a_trajectory(0, scenario="loan")])
    hold(engine, run, 2, [a_trajectory(3)])
    hold(engine, other, 1, [a_trajectory(4)])
    with transaction(engine) as session:
        found = trajectories.candidates(session, run, 1)
    assert found == (Candidate(0, "loan", 5), Candidate(2, "drinking", 7))
