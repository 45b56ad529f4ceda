"""Reading conversations back: what a selection looks at."""

from dataclasses import replace

from sqlalchemy import Engine, text

from services.core.db import trajectories
from services.core.db.session import transaction
from services.core.domain.selection import Candidate
from services.core.domain.trajectory import Call, TrajectoryStatus
from tests.core.db.builders import a_run
from tests.core.db.facts import a_trajectory, hold


def test_candidates_are_a_rounds_scored_and_not_vetoed_conversations_by_slot(engine: Engine) -> None:
    run, other = a_run(engine, seed=1), a_run(engine, seed=2)
    failed = a_trajectory(1, status=TrajectoryStatus.FAILED, cause="timeout", ratings=())
    vetoed = a_trajectory(5, status=TrajectoryStatus.VETOED, cause="validates", ratings=(9,))
    hold(engine, run, 1, [a_trajectory(2, ratings=(7,)), failed, vetoed, a_trajectory(0, scenario="loan")])
    hold(engine, run, 2, [a_trajectory(3)])
    hold(engine, other, 1, [a_trajectory(4)])
    with transaction(engine) as session:
        found = trajectories.candidates(session, run, 1)
        counted = trajectories.counts(session, run)[1]
    assert found == (Candidate(0, "loan", 5), Candidate(2, "drinking", 7))
    assert counted == {"scored": 2, "vetoed": 1, "failed": 1}


def test_how_often_users_were_out_of_role_is_counted_by_turns(engine: Engine) -> None:
    run_id = a_run(engine)
    asked = Call("user", "m", 1.0, 48, 7, "stop", 0.01, 20, 5, None)
    strayed = replace(asked, discarded="As an AI …", fault="machine")
    talks = [a_trajectory(0, calls=(asked, asked)), a_trajectory(1, calls=(strayed, asked))]
    hold(engine, run_id, 1, talks)
    with transaction(engine) as session:
        found = trajectories.users_out_of_role(session, run_id)
    assert {round_: (rate.value, rate.n) for round_, rate in found.items()} == {1: (0.25, 4)}


def test_calls_from_before_prices_were_kept_still_read(engine: Engine) -> None:
    run_id = a_run(engine)
    asked = Call("user", "m", 1.0, 48, 7, "stop", 0.01, 20, 5, 30e-6, 1.0, 2.0)
    new, old = hold(engine, run_id, 1, [a_trajectory(slot, calls=(asked,)) for slot in range(2)])
    with transaction(engine) as session:
        drop = "calls #- '{0,input_usd_per_million}' #- '{0,output_usd_per_million}'"
        session.execute(text(f"UPDATE trajectories SET calls = {drop} WHERE id = :old"), {"old": old})
    with transaction(engine) as session:
        assert trajectories.get(session, new).trajectory.calls == (asked,)
        unknown = replace(asked, input_usd_per_million=None, output_usd_per_million=None)
        assert trajectories.get(session, old).trajectory.calls == (unknown,)
