"""Cancelling, resuming and deleting runs, also at the moment when something else happens to them."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.core.db import phases, policies, runs
from services.core.db.phases import Claim
from services.core.db.policies import AdapterRecord
from services.core.db.session import after_commit, transaction
from services.core.db.tables import Sweep
from services.core.domain.errors import NotFound, StateConflict
from services.core.domain.identity import LaunchOutcome
from services.core.domain.phases import PhaseName, RunStatus
from services.core.operations import launching
from services.core.operations.launching import NewArm
from services.core.queue import rounds
from tests.core.db.builders import a_new_run, a_run, await_a_waiting_lock, close_next, run_out


def status(engine: Engine, run_id: str) -> RunStatus:
    with transaction(engine) as session:
        return runs.get_run(session, run_id).status


def test_what_follows_a_commit_follows_only_a_commit(engine: Engine) -> None:
    told: list[str] = []

    def fails(session: Session) -> None:
        after_commit(session, lambda: told.append("rolled back"))
        raise StateConflict

    with transaction(engine) as session:
        after_commit(session, lambda: told.append("committed"))
        assert told == []
    with pytest.raises(StateConflict), transaction(engine) as session:
        fails(session)
    assert told == ["committed"]


def test_a_run_that_ends_while_it_is_cancelled_has_ended(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1, concurrency={"shard_size": 10})
    for _ in range(5):  # all but the last phase
        assert close_next(engine)
    with transaction(engine) as session:
        last = phases.claim_next(session, list(PhaseName), "w", 60)
    assert last is not None
    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as session:
            phases.finish(session, last)
            cancelling = pool.submit(cancel, engine, run_id, waits := threading.Event())
            waits.wait()
            rounds.close_phase(session, last)
        with pytest.raises(StateConflict, match=r"has ended \(succeeded\)"):
            cancelling.result()
    assert status(engine, run_id) is RunStatus.SUCCEEDED


def cancel(engine: Engine, run_id: str, begun: threading.Event) -> None:
    with transaction(engine) as session:
        run = runs.get_run(session, run_id)
        begun.set()
        rounds.cancel(session, run)


def test_a_run_that_is_resumed_while_a_phase_closes_keeps_what_the_phase_made_due_from_workers(
    engine: Engine,
) -> None:
    """A worker that claimed one of those shards would wait for the run, and the resuming for the shard."""
    run_id = a_run(engine, evaluation_items=1)
    with transaction(engine) as session:
        last = phases.claim_next(session, list(PhaseName), "w", 60)
    assert last is not None
    is_held, go_on = threading.Event(), threading.Event()

    def resume() -> None:
        with transaction(engine) as session:
            rounds.hold(session, run_id)
            is_held.set()
            go_on.wait()
            rounds.resume(session, runs.get_run(session, run_id))

    with ThreadPoolExecutor(2) as pool:
        with transaction(engine) as session:
            assert phases.finish(session, last)
            rounds.close_phase(session, last)
            resuming = pool.submit(resume)
            await_a_waiting_lock(session, resuming)
        is_held.wait(60)
        claiming = pool.submit(claim, engine)
        with transaction(engine) as session:
            await_a_waiting_lock(session, claiming)
        go_on.set()
        resuming.result()
        assert claiming.result() is None
    assert claim(engine) is not None


def claim(engine: Engine) -> Claim | None:
    with transaction(engine) as session:
        return phases.claim_next(session, list(PhaseName), "w", 60)


def an_adapter(engine: Engine, claim: Claim, folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.with_name(f"{folder.name}.rows.jsonl").touch()
    record = AdapterRecord(
        key=folder.name,
        run_id=claim.run_id,
        round=1,
        base="pocket",
        path=folder,
        sha256="0" * 64,
        parent_key=None,
        data_hash=None,
        hyperparameters={},
        threads=1,
        steps=1,
        train_loss=None,
        examples=None,
        examples_cut=None,
        examples_dropped=None,
        wall_s=1.0,
    )
    with transaction(engine) as session:
        policies.save_adapter(session, claim, record)


def test_a_deleted_run_takes_its_adapters_along_and_nothing_else(engine: Engine, tmp_path: Path) -> None:
    run_id, other = a_run(engine), a_run(engine, seed=2)
    with transaction(engine) as session:
        held = phases.claim_next(session, list(PhaseName), "w", 60)
    assert held is not None
    assert held.run_id == run_id
    an_adapter(engine, held, tmp_path / "run-a-r1")
    (tmp_path / "run-b-r1").mkdir()
    with transaction(engine) as session:
        with pytest.raises(StateConflict, match="is running; cancel it first"):
            launching.delete(session, run_id)
        launching.cancel(session, run_id)
        launching.delete(session, run_id)
        assert len(list(tmp_path.iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["run-b-r1"]
    assert status(engine, other) is RunStatus.RUNNING
    with pytest.raises(NotFound):
        status(engine, run_id)


def test_an_arm_out_of_budget_stays_where_it_is_and_the_others_go_on(engine: Engine) -> None:
    spent = run_out(engine, 120, budget={"tokens": 100})
    arms = [NewArm({"seed": seed}, a_new_run(seed=seed, budget={"tokens": 100})) for seed in (1, 2)]
    with transaction(engine) as session:
        foretold = [rounds.foretell(session, arm.run) for arm in arms]
        launched = launching.launch(session, "s", arms)
    assert list(launched.arms) == foretold
    assert [arm.outcome for arm in foretold] == [LaunchOutcome.OUT_OF_BUDGET, LaunchOutcome.CREATED]
    assert launched.run_ids[0] == spent
    assert status(engine, spent) is RunStatus.OUT_OF_BUDGET


def test_a_deleted_runs_id_is_given_to_no_other_run(engine: Engine) -> None:
    """A server that stayed up still has its weights, under names that begin with its id."""
    new, other = a_new_run(), a_new_run(seed=2)
    given: list[str] = []
    for again in (False, False, True):
        with transaction(engine) as session:
            foretold = rounds.foretell(session, new, again)
            launched = rounds.launch(session, new, again)
            rounds.launch(session, other)
        assert launched == foretold
        assert launched.outcome is LaunchOutcome.CREATED
        given.append(launched.run_id)
        with transaction(engine) as session:
            launching.cancel(session, launched.run_id)
            launching.delete(session, launched.run_id)
    assert given == [given[0], f"{given[0]}-2", f"{given[0]}-3"]
    assert status(engine, other.spec_hash[:8]) is RunStatus.RUNNING


def test_repetitions_are_counted_on_whichever_of_them_is_deleted(engine: Engine) -> None:
    first = a_run(engine)
    with transaction(engine) as session:
        runs.set_status(session, first, RunStatus.SUCCEEDED)
    second = a_run(engine, again=True)
    with transaction(engine) as session:
        launching.cancel(session, second)
        for run_id in (second, first):
            launching.delete(session, run_id)
    assert a_run(engine) == f"{first}-3"


@pytest.mark.parametrize("found", [RunStatus.SUCCEEDED, RunStatus.OUT_OF_BUDGET, RunStatus.FAILED])
def test_an_arm_that_is_deleted_while_its_sweep_is_launched_is_a_conflict(
    engine: Engine, found: RunStatus
) -> None:
    budget = {"tokens": 100}
    deleted = run_out(engine, 120, budget=budget) if found is RunStatus.OUT_OF_BUDGET else a_run(engine)
    with transaction(engine) as session:
        runs.set_status(session, deleted, found)
    arms = [NewArm({"seed": seed}, a_new_run(seed=seed, budget=budget)) for seed in (1, 2)]
    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as session:
            launching.delete(session, deleted)
            launched = pool.submit(launch, engine, arms)
            await_a_waiting_lock(session, launched)
        with pytest.raises(StateConflict, match="was deleted at this very moment; launch again"):
            launched.result()
    assert launch(engine, arms) == [LaunchOutcome.CREATED, LaunchOutcome.CREATED]


def test_a_finished_arm_can_not_be_deleted_while_its_sweep_is_launched(engine: Engine) -> None:
    finished = a_run(engine)
    with transaction(engine) as session:
        runs.set_status(session, finished, RunStatus.SUCCEEDED)
    with ThreadPoolExecutor(1) as pool, transaction(engine) as session:
        launched = rounds.launch(session, a_new_run())
        deleting = pool.submit(delete, engine, finished)
        await_a_waiting_lock(session, deleting)
        assert not deleting.done()
        assert launched.outcome is LaunchOutcome.FINISHED


def launch(engine: Engine, arms: list[NewArm]) -> list[LaunchOutcome]:
    with transaction(engine) as session:
        return [arm.outcome for arm in launching.launch(session, "s", arms).arms]


def delete(engine: Engine, run_id: str) -> None:
    with transaction(engine) as session:
        launching.delete(session, run_id)


def test_a_sweep_goes_with_its_last_run(engine: Engine) -> None:
    arms = [NewArm({"seed": seed}, a_new_run(seed=seed)) for seed in (1, 2)]
    with transaction(engine) as session:
        launched = launching.launch(session, "s", arms)
    for left, run_id in zip((1, 0), launched.run_ids, strict=True):
        with transaction(engine) as session:
            launching.cancel(session, run_id)
            launching.delete(session, run_id)
        with transaction(engine) as session:
            assert len(session.execute(select(Sweep.id)).all()) == left


def test_runs_whose_sweep_would_have_the_id_of_others_do_not_get_their_sweep(engine: Engine) -> None:
    first, second = two_studies_of_one_sweep_id()
    assert launch(engine, first) == [LaunchOutcome.CREATED] * 2
    with pytest.raises(StateConflict, match="is taken by a sweep of other runs; change a seed"):
        launch(engine, second)
    assert launch(engine, first) == [LaunchOutcome.RESUMED] * 2


def two_studies_of_one_sweep_id() -> tuple[list[NewArm], list[NewArm]]:
    met: dict[str, tuple[str, str]] = {}
    for number in count(0, 2):
        pair = (f"{number:08x}", f"{number + 1:08x}")
        digest = hashlib.sha256("\n".join(pair).encode()).hexdigest()[:8]
        if digest in met:
            return arms_of(met[digest]), arms_of(pair)
        met[digest] = pair
    raise AssertionError


def arms_of(ids: tuple[str, str]) -> list[NewArm]:
    return [NewArm({"seed": run_id}, replace(a_new_run(), spec_hash=f"{run_id:0<64}")) for run_id in ids]


def test_launching_the_same_arms_in_another_order_waits_for_nobody(engine: Engine) -> None:
    """Without one order of writing, two such launches would wait for each other, and Postgres end one of them."""
    for seed in range(0, 60, 6):
        arms = [NewArm({"seed": seed + arm}, a_new_run(seed=seed + arm)) for arm in range(6)]
        together = threading.Barrier(2)

        def launch(ordered: list[NewArm], together: threading.Barrier = together) -> int:
            together.wait()
            with transaction(engine) as session:
                return len(launching.launch(session, "s", ordered).run_ids)

        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(launch, (arms, arms[::-1]))) == [6, 6]
