"""How far a run is and how long it will take: told from what was observed, and not told where nothing was."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event, text

from services.core.db import phases, runs, shards
from services.core.db.session import transaction
from services.core.db.shards import PhaseTotals, ShardFilter, Step
from services.core.domain.phases import PhaseName, RunStatus, ShardStatus
from services.core.operations.progress import (
    observed,
    progress_of,
    remaining,
    units_per_s,
)
from services.core.queue import rounds
from tests.core.db.builders import a_run, close_next


@pytest.mark.parametrize(
    ("steps", "speed"),
    [
        ([], None),
        # One shard, claimed 100 s ago: all its units count.
        ([Step(0, 20, 50, 100), Step(0, 30, 10, 100)], 0.3),
        # Two shards, one step each: both were claimed lately.
        ([Step(0, 10, 20, 50), Step(1, 10, 5, 40)], 0.4),
        # Claimed long ago: only what was added within the window counts.
        ([Step(0, 100, 200, 9000), Step(0, 150, 20, 9000)], 0.25),
        # Seen once: nothing was seen to be added.
        ([Step(0, 100, 200, 9000)], None),
        # Interrupted since: a speed of yesterday is none.
        ([Step(0, 100, 80_000, 90_000), Step(0, 200, 79_000, 90_000)], None),
    ],
)
def test_speed_is_what_was_seen_lately(steps: list[Step], speed: float | None) -> None:
    assert units_per_s(steps) == (None if speed is None else pytest.approx(speed))


def a_phase(round_: int, name: PhaseName, took_s: float | None) -> PhaseTotals:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    ended = None if took_s is None else began + timedelta(seconds=took_s)
    return PhaseTotals("r", round_, name, 1, 0, 0, 1, 0, 1, 1, began, ended)


def test_the_last_of_a_kind_tells_how_long_the_next_takes() -> None:
    seen = [
        a_phase(0, PhaseName.EVALUATE, 0.0),
        a_phase(1, PhaseName.SIMULATE, 20.0),
        a_phase(2, PhaseName.SIMULATE, 30.0),
        a_phase(2, PhaseName.TRAIN, None),
    ]
    assert observed(seen) == {PhaseName.SIMULATE: 30.0}


def test_a_run_tells_its_end_once_every_phase_has_been_seen(engine: Engine) -> None:
    run_id = a_run(engine, rounds=2, evaluation_items=1, concurrency={"shard_size": 10})
    for phase in ["evaluate", "simulate", "select", "train", "publish", "evaluate"]:
        with transaction(engine) as session:
            (progress,) = progress_of(session, [runs.get_run(session, run_id)])
            assert progress.current is not None
            assert progress.current.name == phase
            assert remaining(session, progress).run_s is None
        close_next(engine)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE phases SET started_at = finished_at - interval '10 s' WHERE round = 1")
        )
    with transaction(engine) as session:
        (progress,) = progress_of(session, [runs.get_run(session, run_id)])
        left = remaining(session, progress)
    assert left.phase_s == pytest.approx(10.0)
    assert left.run_s == pytest.approx(50.0)
    for _ in range(5):
        close_next(engine)
    with transaction(engine) as session:
        (progress,) = progress_of(session, [runs.get_run(session, run_id)])
        assert (progress.fraction, remaining(session, progress).run_s) == (1.0, None)


def test_what_is_done_already_takes_no_time_when_a_round_is_measured_again(engine: Engine) -> None:
    run_id = a_run(engine, rounds=2, evaluation_items=1, concurrency={"shard_size": 10})
    while close_next(engine):
        pass
    with engine.begin() as connection:
        connection.execute(text("UPDATE phases SET started_at = finished_at - interval '10 s'"))
    with transaction(engine) as session:
        phases.owe_done_again(session, run_id, 1, PhaseName.EVALUATE)
        runs.set_status(session, run_id, RunStatus.RUNNING)
        (progress,) = progress_of(session, [runs.get_run(session, run_id)])
        left = remaining(session, progress)
    assert (left.phase_s, left.run_s) == (pytest.approx(10.0), pytest.approx(10.0))


def test_a_phase_tells_its_end_from_its_own_speed(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=100, concurrency={"shard_size": 100})
    with transaction(engine) as session:
        held = phases.claim_next(session, list(PhaseName), "w", 60)
        assert held is not None
        phases.progress(session, held, 25)
    with engine.begin() as connection:
        connection.execute(text("UPDATE phases SET started_at = now() - interval '50 s'"))
    with transaction(engine) as session:
        (progress,) = progress_of(session, [runs.get_run(session, run_id)])
        phase_s = remaining(session, progress).phase_s
    assert phase_s is not None
    assert phase_s >= 150
    assert progress.current is not None
    assert (progress.current.units_done, progress.current.fraction) == (25, 0.25)


def test_how_far_many_runs_are_is_one_question(engine: Engine) -> None:
    for seed in (1, 2, 3):
        a_run(engine, evaluation_items=1, seed=seed)
    with transaction(engine) as session:
        found = runs.list_runs(session)
        asked: list[object] = []
        event.listen(session.connection(), "before_cursor_execute", lambda *_: asked.append(None))
        progress = progress_of(session, found)
    assert [one.run_id for one in progress] == [run.id for run in found]
    assert len(asked) == 1


def test_shards_are_listed_page_by_page_and_filtered(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=10)
    a_run(engine, evaluation_items=10, seed=2)
    close_next(engine)
    with transaction(engine) as session:
        first = shards.page(session, run_id, ShardFilter(), 2)
        rest = shards.page(session, run_id, ShardFilter(), 9, first[-1].id)
        owed = shards.page(session, run_id, ShardFilter(statuses=[ShardStatus.OWED]), 9)
        none = shards.page(session, run_id, ShardFilter(rounds=[1]), 9)
    assert [shard.shard for shard in first + rest] == [0, 1, 2]
    assert [shard.shard for shard in owed] == [1, 2]
    assert none == ()


def test_the_backlog_counts_what_running_runs_wait_for(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=10)
    close_next(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE phases SET owed_at = now() - interval '90 s' WHERE shard = 2"))
    with transaction(engine) as session:
        found = shards.backlog(session)
        assert found.shards == {(PhaseName.EVALUATE, ShardStatus.OWED): 2}
        assert found.oldest_due_s >= 90
    with transaction(engine) as session:
        rounds.hold(session, run_id)
        session.execute(text("UPDATE runs SET status = 'cancelled'"))
        assert shards.backlog(session) == shards.Backlog({}, 0.0)
