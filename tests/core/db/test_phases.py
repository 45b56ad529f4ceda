"""The phase machine against real Postgres: who may work what, and who may write."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from services.core.db import events, phases, runs, shards
from services.core.db.phases import Claim
from services.core.db.session import transaction
from services.core.domain.errors import StaleClaim
from services.core.domain.phases import Owed, PhaseName, RunStatus, ShardStatus
from services.core.queue import rounds
from tests.core.db.builders import a_run, await_a_waiting_lock
from tests.core.db.facts import shards_of

ALL = list(PhaseName)


def claim(engine: Engine, lease_s: float = 60) -> Claim | None:
    with transaction(engine) as session:
        return phases.claim_next(session, ALL, "w", lease_s)


def finish(engine: Engine, held: Claim) -> bool:
    with transaction(engine) as session:
        last = phases.finish(session, held)
        if last:
            rounds.close_phase(session, held)
        return last


def statuses(engine: Engine, run_id: str) -> list[str]:
    with transaction(engine) as session:
        return [shard.status for shard in shards_of(session, run_id)]


def test_a_new_run_owes_its_baseline_in_shards(engine: Engine) -> None:
    a_run(engine, evaluation_items=5)
    held = claim(engine)
    assert held is not None
    assert (held.round, held.name, held.first_unit, held.last_unit, held.attempt) == (0, "evaluate", 0, 4, 1)


def test_a_claimant_for_some_runs_passes_over_older_work_of_others(engine: Engine) -> None:
    left, mine = (a_run(engine, seed=seed) for seed in (1, 2))
    with transaction(engine) as session:
        for run_ids, claimed in (([mine, "none"], mine), ([left], left), ([], None), (None, left)):
            held = phases.claim_next(session, ALL, "w", 60, run_ids)
            assert (held and held.run_id) == claimed
        many = [f"{number:08x}" for number in range(100_000)]
        assert phases.claim_next(session, ALL, "w", 60, many) is None
        held = phases.claim_next(session, ALL, "w", 60, [*many, mine])
        assert held is not None


def test_many_claimants_get_each_shard_once(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=100, concurrency={"shard_size": 2})
    start = threading.Barrier(8)

    def grab(_: int) -> list[int]:
        start.wait()
        mine: list[int] = []
        while (held := claim(engine)) is not None:
            mine.append(held.shard)
        return mine

    with ThreadPoolExecutor(8) as pool:
        grabbed = [shard for mine in pool.map(grab, range(8)) for shard in mine]
    assert sorted(grabbed) == list(range(50))
    assert set(statuses(engine, run_id)) == {ShardStatus.RUNNING}


def test_the_last_shard_and_only_it_owes_what_comes_next(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=5)
    first, second = claim(engine), claim(engine)
    assert first is not None
    assert second is not None
    assert finish(engine, first) is False
    assert claim(engine) is None
    assert finish(engine, second) is True
    following = claim(engine)
    assert following is not None
    assert (following.round, following.name) == (1, PhaseName.SIMULATE)
    assert len(statuses(engine, run_id)) == 2 + 3  # 10 conversations in shards of 4


def test_two_last_shards_finishing_together_owe_the_next_phase_once(engine: Engine) -> None:
    for trial in range(10):
        run_id = a_run(engine, evaluation_items=5, seed=trial)
        held = [claim(engine), claim(engine)]
        with ThreadPoolExecutor(2) as pool:
            lasts = list(pool.map(lambda item: finish(engine, item), [item for item in held if item]))
        assert sorted(lasts) == [False, True]
        with transaction(engine) as session:
            runs.delete_run(session, run_id)


def test_an_expired_lease_is_owed_again_and_the_late_worker_changes_nothing(engine: Engine) -> None:
    a_run(engine)
    late = claim(engine, lease_s=-1)
    assert late is not None
    with transaction(engine) as session:
        assert phases.reap(session) == 1
    current = claim(engine)
    assert current is not None
    assert (current.phase_id, current.attempt) == (late.phase_id, late.attempt + 1)
    with transaction(engine) as session:
        assert phases.renew(session, late, 60) is False
        phases.progress(session, late, 3)
        phases.hand_back(session, late, "stopped")
        phases.fail(session, late, "late")
        with pytest.raises(StaleClaim):
            phases.fence(session, late)
        with pytest.raises(StaleClaim):
            phases.finish(session, late)
        phases.fence(session, current)


def test_a_renewed_lease_is_not_reaped(engine: Engine) -> None:
    a_run(engine)
    held = claim(engine, lease_s=-1)
    assert held is not None
    with transaction(engine) as session:
        assert phases.renew(session, held, 60)
        assert phases.reap(session) == 0


def worked(engine: Engine, *run_ids: str) -> frozenset[str]:
    with transaction(engine) as session:
        return shards.worked(session, run_ids)


def test_a_run_is_worked_while_a_lease_of_its_shards_lasts(engine: Engine) -> None:
    mine, other = (a_run(engine, seed=seed) for seed in (1, 2))
    assert worked(engine, mine, other) == frozenset()
    silent = claim(engine, lease_s=-1)
    assert silent is not None
    assert worked(engine, mine, other) == frozenset()
    held = claim(engine)
    assert held is not None
    assert (silent.run_id, held.run_id) == (mine, mine)
    assert worked(engine, mine, other) == {mine}
    assert worked(engine, other) == frozenset()
    with transaction(engine) as session:
        phases.hand_back(session, held, "stopped")
    assert worked(engine, mine, other) == frozenset()


def test_a_run_that_has_failed_is_not_worked_though_a_shard_of_it_is(engine: Engine) -> None:
    run_id = a_run(engine)
    assert claim(engine) is not None
    with transaction(engine) as session:
        runs.set_status(session, run_id, RunStatus.FAILED, "another shard was given up")
    assert worked(engine, run_id) == frozenset()


def test_a_worker_that_is_writing_is_neither_reaped_nor_waited_for(engine: Engine) -> None:
    a_run(engine)
    held = claim(engine, lease_s=-1)
    assert held is not None
    with transaction(engine) as writing:
        phases.fence(writing, held)
        with transaction(engine) as session:
            session.execute(text("SET LOCAL lock_timeout = '1s'"))
            assert phases.reap(session) == 0
    with transaction(engine) as session:
        assert phases.reap(session) == 1


def told(engine: Engine, run_id: str, kinds: int) -> list[str]:
    """Return the kinds of a run's last events."""
    with transaction(engine) as session:
        return [event.kind.value for event in events.after(session, run_id, 0)][-kinds:]


def fall_silent(engine: Engine) -> None:
    assert claim(engine, lease_s=-1) is not None
    with transaction(engine) as session:
        assert phases.reap(session) == 1


def test_a_shard_whose_workers_keep_falling_silent_ends_its_run_at_last(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1)
    for _ in range(phases.MAX_SILENCES):
        assert statuses(engine, run_id) == [ShardStatus.OWED]
        fall_silent(engine)
    with transaction(engine) as session:
        run = runs.get_run(session, run_id)
    assert (run.status, run.error) == (
        RunStatus.FAILED,
        "evaluate of round 0: the worker fell silent (killed?)",
    )
    assert told(engine, run_id, 3) == ["shard.owed_again", "shard.given_up", "run.failed"]


def test_a_kill_is_not_counted_as_a_failure(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1)
    for _ in range(phases.MAX_FAILURES - 1):
        fall_silent(engine)
        held = claim(engine)
        assert held is not None
        with transaction(engine) as session:
            phases.fail(session, held, "out of memory")
    fall_silent(engine)
    assert statuses(engine, run_id) == [ShardStatus.OWED]


def test_a_resumed_run_that_was_killed_often_starts_with_a_clean_count(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1)
    for _ in range(phases.MAX_SILENCES + 1):
        with transaction(engine) as session:
            rounds.resume(session, runs.get_run(session, run_id))
        fall_silent(engine)
        assert statuses(engine, run_id) == [ShardStatus.OWED]


def test_three_failures_give_up_the_shard_and_the_run_until_resumed(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1)
    for _ in range(3):
        held = claim(engine)
        assert held is not None
        with transaction(engine) as session:
            phases.fail(session, held, "out of memory")
    assert told(engine, run_id, 4) == ["shard.owed_again"] * 2 + ["shard.given_up", "run.failed"]
    assert claim(engine) is None
    with transaction(engine) as session:
        run = runs.get_run(session, run_id)
        assert (run.status, run.error) == (RunStatus.FAILED, "evaluate of round 0: out of memory")
        rounds.resume(session, run)
    again = claim(engine)
    assert again is not None
    assert again.attempt == 4


def test_handing_back_is_no_failure(engine: Engine) -> None:
    a_run(engine, evaluation_items=1)
    for _ in range(5):
        held = claim(engine)
        assert held is not None
        with transaction(engine) as session:
            phases.hand_back(session, held, "stopped")
    assert claim(engine) is not None


def test_shards_of_one_work_key_are_not_worked_at_once(engine: Engine) -> None:
    two_runs_that_share_their_baseline(engine)
    first = claim(engine)
    assert first is not None
    assert claim(engine) is None
    finish(engine, first)
    simulate, second = claim(engine), claim(engine)
    assert simulate is not None
    assert second is not None
    assert {simulate.run_id, second.run_id} != {first.run_id}


def two_runs_that_share_their_baseline(engine: Engine) -> None:
    """Equal base and settings, other population: the two runs share the evaluation of policy 0."""
    for share in (0.0, 1.0):
        a_run(engine, evaluation_items=1, population={"biased_share": share, "conversations": 10})


@pytest.mark.parametrize("is_kept", [True, False])
def test_two_who_claim_at_the_same_moment_never_work_one_work_key(engine: Engine, is_kept: bool) -> None:
    two_runs_that_share_their_baseline(engine)
    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as session:
            first = phases.claim_next(session, ALL, "w", 60)
            assert first is not None
            other = pool.submit(claim, engine)  # it sees no twin at work, and waits for this transaction
            await_a_waiting_lock(session, other)
            if not is_kept:
                session.rollback()
        second = other.result()
    assert (second is None) is is_kept
    with transaction(engine) as session:
        assert session.execute(text("SELECT count(*) FROM phases WHERE status = 'running'")).scalar_one() == 1


def test_owing_twice_owes_once(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1)
    with transaction(engine) as session:
        phases.owe(session, run_id, Owed(0, PhaseName.EVALUATE, 1, 4))
    assert len(statuses(engine, run_id)) == 1


def test_deleting_a_run_makes_its_claims_stale(engine: Engine) -> None:
    run_id = a_run(engine)
    held = claim(engine)
    assert held is not None
    with transaction(engine) as session:
        runs.delete_run(session, run_id)
        with pytest.raises(StaleClaim):
            phases.fence(session, held)


@pytest.mark.parametrize(
    "change",
    [
        "status = 'running'",  # running without a lease
        "status = 'asleep'",
        "units_done = units_total + 1",
        "name = 'dream'",
        "last_unit = first_unit - 1",
    ],
)
def test_the_database_itself_refuses_impossible_shards(engine: Engine, change: str) -> None:
    from sqlalchemy.exc import IntegrityError

    a_run(engine)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text(f"UPDATE phases SET {change}"))


def test_a_phase_of_very_many_shards_is_owed(engine: Engine) -> None:
    run = a_run(engine)
    with transaction(engine) as session:
        phases.owe(session, run, Owed(1, PhaseName.SIMULATE, 20_000, 1))
        counted = text("SELECT count(*), max(last_unit) FROM phases WHERE round = 1")
        assert tuple(session.execute(counted).one()) == (20_000, 20_000)
