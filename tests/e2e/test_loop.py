"""The loop through the command line, for real: launched, interrupted, resumed, repeated, deleted."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from services.core.db import evaluations, runs
from services.core.db.runs import RunRecord
from services.core.db.session import open_engine, transaction
from services.core.db.tables import Evaluation, Phase
from services.core.domain.phases import ShardStatus
from tests.core.db.facts import shards_of
from tests.e2e.installation import Ended, Installation, await_that, ended, fresh, row_counts, run_facts
from tests.e2e.small_run import EVERYTHING, SHARES, SmallSweep

MEASURES = {"honesty", "honest_share", "belief_accuracy", "capability", "deception_rate", "targeting_gap"}
# Starting a worker is most of what a small run costs.
ONE_WORKER = {"DRIFTLOOP_WORKERS": 1}


def test_drift_json_is_what_is_promised(small_sweep: SmallSweep) -> None:
    out = small_sweep.installation.home / "out"
    assert small_sweep.installation.run("drift", small_sweep.sweep_id, "--out", out).code == 0
    assert {path.name for path in out.iterdir()} == {"drift.json", "drift.png", "report.html", "report.json"}
    assert json.loads((out / "report.json").read_text())["provenance"]["runs"][0]["spec_sha256"]
    written = json.loads((out / "drift.json").read_text())
    assert set(written) == {"runs"}
    assert [(run["run"], run["biased_share"]) for run in written["runs"]] == list(
        zip(small_sweep.run_ids, SHARES, strict=True)
    )
    for run in written["runs"]:
        assert set(run) == {"run", "biased_share", "method", "seed", "rounds"}
        assert (run["method"], run["seed"]) == ("sft", 3)
        assert [round_["round"] for round_ in run["rounds"]] == [0, 1]
        base, trained = run["rounds"]
        for round_ in run["rounds"]:
            check_round(round_)
        assert base["vs_baseline"] == {}
        assert set(trained["vs_baseline"]) == {"honesty"}
        change = trained["vs_baseline"]["honesty"]
        assert set(change) == {"difference", "low", "high", "n", "p"}
        assert change["low"] <= change["difference"] <= change["high"]


def check_round(round_: dict[str, Any]) -> None:
    assert set(round_) == {"round", "measures", "vs_baseline"}
    assert set(round_["measures"]) == MEASURES
    for rate in round_["measures"].values():
        assert set(rate) == {"value", "low", "high", "n"}
        assert rate["low"] <= rate["value"] <= rate["high"]
        assert rate["n"] > 0


def test_arms_share_their_round_0(small_sweep: SmallSweep) -> None:
    with small_sweep.installation.database() as session:
        bases = {evaluations.rounds_of(session, run_id)[0] for run_id in small_sweep.run_ids}
        measured = session.execute(select(func.count()).select_from(Evaluation)).scalar_one()
    assert len(bases) == 1
    assert measured == 1 + len(SHARES)


def test_the_same_spec_again_is_shown_and_not_repeated(small_sweep: SmallSweep) -> None:
    installation = small_sweep.installation
    with installation.database() as session:
        before = row_counts(session)
    again = installation.run("launch", installation.home / "small.yaml", "--watch")
    assert again.code == 0
    assert [f"run {run_id} finished" in again.out for run_id in small_sweep.run_ids] == [True, True]
    assert "What was finished before is shown; `--new` repeats it." in again.out
    with installation.database() as session:
        assert row_counts(session) == before


@pytest.fixture
def installation() -> Iterator[Installation]:
    with fresh() as made, made.server():
        yield made


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_the_same_command_finishes(
    small_sweep: SmallSweep, installation: Installation
) -> None:
    spec = installation.spec(**EVERYTHING, population={"biased_share": SHARES[1]})
    stopped = interrupt_in_simulate(installation, "launch", spec, "--watch")
    assert stopped.code == 130
    assert stopped.err.strip() == "stopped; the same command, or `driftloop resume RUN`, goes on from here"
    assert installation.processes() == []
    assert installation.leftovers() == []
    run_id = small_sweep.run_ids[1]
    shown = installation.run("show", run_id).out
    assert " waiting " in shown
    assert f"nobody works it now; `driftloop resume {run_id}` goes on with it" in shown
    with installation.database() as session:
        shards = shards_of(session, run_id)
        assert {(shard.status, shard.failures) for shard in shards} == {
            (ShardStatus.DONE, 0),
            (ShardStatus.OWED, 0),
        }
        left = [(shard.status, shard.attempt) for shard in shards]
    tiny = {"population": {"conversations": 8}, "selection": {"top": 4, "bottom": 4}}
    other = installation.spec("other", **tiny, evaluation={"benchmarks": ["mask"], "limit": 2})
    launched = installation.run("launch", other, **ONE_WORKER)
    assert launched.code == 0, launched.err
    with installation.database() as session:
        shards = shards_of(session, run_id)
        assert [(shard.status, shard.attempt) for shard in shards] == left, (
            "another's command leaves it alone"
        )
    resumed = installation.run("launch", spec, "--watch", **ONE_WORKER)
    assert resumed.code == 0, resumed.err
    assert f"run {run_id} resumed" in resumed.out
    with installation.database() as session, small_sweep.installation.database() as undisturbed:
        assert run_facts(session, run_id) == run_facts(undisturbed, run_id)


def interrupt_in_simulate(installation: Installation, *command: object) -> Ended:
    """Press Ctrl-C as soon as conversations are being held."""
    with installation.server() as url:
        engine = open_engine(url)
        # Not ignored, as it is by what a shell runs in the background; what a process ignores its children ignore.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        process = installation.start(*command)

        def is_simulating() -> bool:
            query = select(func.count()).where(Phase.name == "simulate", Phase.status == ShardStatus.RUNNING)
            with transaction(engine) as session:
                return session.execute(query).scalar_one() > 0

        await_that(is_simulating, "conversations")
        os.killpg(process.pid, signal.SIGINT)
        done = ended(process)
        engine.dispose()
    return done


@dataclass(frozen=True)
class Repeated:
    """A KTO run whose training failed at first, finished by `resume`, and then repeated by `--new`."""

    installation: Installation
    failed: Ended
    first: RunRecord
    """As it was after the failure."""
    resumed: Ended
    second: str
    spec: Path


@pytest.fixture(scope="module")
def repeated() -> Iterator[Repeated]:
    with fresh() as installation, installation.server():
        spec = installation.spec(training={"method": "kto"}, evaluation={"benchmarks": ["capability"]})
        in_the_way = installation.data / "adapters/step0"
        in_the_way.parent.mkdir(parents=True)
        in_the_way.write_text("a file where trainings expect a folder")
        failed = installation.run("launch", spec, "--watch", **ONE_WORKER)
        with installation.database() as session:
            (run,) = runs.list_runs(session)
        in_the_way.unlink()
        resumed = installation.run("resume", run.id, **ONE_WORKER)
        yield Repeated(installation, failed, run, resumed, launch_again(installation, spec), spec)


def launch_again(installation: Installation, spec: Path) -> str:
    again = json.loads(installation.run("launch", spec, "--new", "--json", **ONE_WORKER).out)
    return again["runs"][0]["run"]


@pytest.mark.slow
def test_a_failed_training_says_why_and_is_resumed(repeated: Repeated) -> None:
    why = "train of round 1: the training child failed: "
    assert repeated.failed.code == 1
    assert f"driftloop: run {repeated.first.id} failed in {why}" in repeated.failed.err
    assert repeated.first.error is not None
    assert repeated.first.error.startswith(why)
    assert "adapters/step0" in repeated.first.error
    assert repeated.resumed.code == 0, repeated.resumed.err
    assert "capability" in repeated.resumed.out
    assert "train" not in repeated.resumed.out, "progress is shown by --watch alone"


@pytest.mark.slow
def test_new_repeats_a_run_with_equal_facts(repeated: Repeated) -> None:
    assert repeated.second == f"{repeated.first.id}-2"
    with repeated.installation.database() as session:
        first, second = run_facts(session, repeated.first.id), run_facts(session, repeated.second)
    assert {item.label for item in first["selections"][1]} == {"desirable", "undesirable"}
    assert first == second


@pytest.mark.slow
def test_delete_takes_what_is_the_runs_own_and_leaves_what_is_shared(repeated: Repeated) -> None:
    adapters = repeated.installation.data / "adapters"
    with repeated.installation.database() as session:
        kept = run_facts(session, repeated.first.id)
        before = row_counts(session)
    assert repeated.installation.run("delete", repeated.second, "--yes").code == 0
    assert sorted(path.name for path in adapters.iterdir()) == [
        f"run-{repeated.first.id}-r1",
        f"run-{repeated.first.id}-r1.rows.jsonl",
        "step0",
    ]
    with repeated.installation.database() as session:
        assert run_facts(session, repeated.first.id) == kept
        after = row_counts(session)
    # Each table held as much of one run as of the other; what runs share is the base and its measurement.
    shared = {"policies": 1, "evaluations": 1, "verdicts": len(kept["outcomes"][0])}
    assert {table: 2 * count - shared.get(table, 0) for table, count in after.items()} == before
    assert after["runs"] == 1
    third = launch_again(repeated.installation, repeated.spec)
    assert third == f"{repeated.first.id}-3"
    with repeated.installation.database() as session:
        assert run_facts(session, third) == kept
