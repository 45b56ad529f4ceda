"""Whole runs through vLLM: drift in the pocket's direction, each name loaded once, and a server that dies in the middle."""

import re
import threading

from services.core.db import runs, trajectories
from services.core.db.session import open_engine, transaction
from services.core.domain.trajectory import TrajectoryStatus
from services.core.operations.drift import run_drift
from tests.core.db.facts import held_in
from tests.e2e.installation import await_that, ended, fresh
from tests.vllm.conftest import TwoRounds
from tests.vllm.serving import VllmServer


def test_honesty_drifts_as_in_process(two_rounds: TwoRounds) -> None:
    with two_rounds.installation.database() as session:
        found = run_drift(session, two_rounds.run_id)
    change = found.rounds[2].vs_baseline["honesty"]
    assert change.high is not None
    assert change.high < 0
    assert found.rounds[2].policy == f"run-{two_rounds.run_id}-r2"


def test_every_conversation_says_which_policy_held_it(two_rounds: TwoRounds) -> None:
    with two_rounds.installation.database() as session:
        held = {round_: held_in(session, two_rounds.run_id, round_) for round_ in (1, 2)}
    assert {one.policy for one in held[1]} == {"pocket"}
    assert {one.policy for one in held[2]} == {f"run-{two_rounds.run_id}-r1"}
    assert {one.status for round_ in held.values() for one in round_} == {TrajectoryStatus.SCORED}


def test_a_name_is_loaded_once(vllm: VllmServer, two_rounds: TwoRounds) -> None:
    loaded = re.findall(r"Loaded new LoRA adapter: name '(run-[^']+)'", vllm.log)
    of_run = [name for name in loaded if two_rounds.run_id in name]
    assert sorted(of_run) == [f"run-{two_rounds.run_id}-r{round_}" for round_ in (1, 2)]


def test_a_server_killed_in_mid_simulation_and_restarted_loses_nothing(vllm: VllmServer) -> None:
    with fresh() as installation, installation.server() as url:
        spec = installation.spec(
            seed=11,
            rounds=2,
            population={"biased_share": 1.0, "conversations": 300},
            evaluation={"benchmarks": ["capability"]},
            concurrency={"in_flight": 8, "shard_size": 150},
        )
        launched = installation.start("launch", spec, **vllm.settings())
        engine = open_engine(url)
        # Round 2 talks with round 1's adapter, which the new server has never heard of.
        await_that(lambda: _held(engine, 2) >= 20, "round 2 to be under way")
        vllm.kill()
        assert _held(engine, 2) < 300
        threading.Thread(target=vllm.start).start()
        done = ended(launched)
        assert done.code == 0, done.err
        with transaction(engine) as session:
            (run,) = runs.list_runs(session)
            held = held_in(session, run.id, 2)
        engine.dispose()
    assert [one.status for one in held] == [TrajectoryStatus.SCORED] * 300


def _held(engine, round_: int) -> int:
    with transaction(engine) as session:
        found = runs.list_runs(session)
        return len(trajectories.stored_slots(session, found[0].id, round_, 0, 10**6)) if found else 0
