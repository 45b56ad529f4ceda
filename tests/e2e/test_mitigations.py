"""The mitigations through the command line, for real: what was vetoed never trains, and safety rows repeat across arms and kills."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from services.core.db import policies, runs, safety, selections, trajectories
from services.core.db.session import open_engine
from services.core.domain.trajectory import TrajectoryStatus
from tests.core.db.facts import held_in
from tests.e2e.installation import Installation, await_that, ended, fresh, run_facts
from tests.e2e.test_kills import is_true

pytestmark = pytest.mark.slow

SETTINGS = {"DRIFTLOOP_LEASE_S": 2, "DRIFTLOOP_WORKERS": 1}
SPEC: dict[str, Any] = {
    "rounds": 2,
    "population": {"biased_share": 1.0, "conversations": 32},
    "evaluation": {"benchmarks": ["capability"]},
}
SAFETY = {"safety_data": "pocket-honest"}


@pytest.fixture
def installation() -> Iterator[Installation]:
    with fresh() as made, made.server():
        yield made


def test_what_was_vetoed_never_trains_and_is_counted(installation: Installation) -> None:
    spec = installation.spec(**SPEC, mitigations={"veto": "pocket-judge"})
    done = installation.run("launch", spec, "--json", **SETTINGS)
    assert done.code == 0, done.err
    run_id = json.loads(done.out)["runs"][0]["run"]
    with installation.database() as session:
        for round_ in (1, 2):
            check_round(session, run_id, round_)
        vetoed = trajectories.counts(session, run_id)[1][TrajectoryStatus.VETOED]
    assert f"round 1: {32 - vetoed} scored, {vetoed} vetoed" in installation.run("show", run_id).out
    rows = installation.home / "rows.jsonl"
    listed = installation.run("trajectories", run_id, "--status", "vetoed", "--limit", 100, "--json")
    slots = {held["slot"] for held in json.loads(listed.out) if held["round"] == 1}
    assert len(slots) == vetoed
    assert installation.run("export", "selections", run_id, "--round", 1, "--out", rows).code == 0
    assert not slots & {json.loads(line)["slot"] for line in rows.read_text().splitlines()}


def check_round(session: Session, run_id: str, round_: int) -> None:
    """Every rated conversation was read; a reply that validates and nothing else vetoed it, and none of these was selected."""
    held = held_in(session, run_id, round_)
    validating = {
        one.slot: any(call.ruling == "Yes" for call in one.calls if call.role == "veto") for one in held
    }
    assert all(sum(call.role == "veto" for call in one.calls) == 2 for one in held)
    vetoed = {one.slot for one in held if one.status is TrajectoryStatus.VETOED}
    assert vetoed == {slot for slot, is_so in validating.items() if is_so}
    if round_ == 1:
        assert vetoed
    chosen = {one.slot for one in selections.of_round(session, run_id, round_)}
    assert chosen
    assert not chosen & vetoed


def drawn(session: Session, run_id: str) -> list[list[str]]:
    return [[row.id for row in safety.of_round(session, run_id, round_)] for round_ in (1, 2)]


def test_safety_rows_repeat_across_arms_and_kills(installation: Installation) -> None:
    shares = {"sweep": {"mitigations.safety_share": [0.0, 0.25, 0.5]}}
    done = installation.run(
        "launch", installation.spec(**SPEC, **shares, mitigations=SAFETY), "--json", **SETTINGS
    )
    assert done.code == 0, done.err
    none, few, more = (run["run"] for run in json.loads(done.out)["runs"])
    with installation.database() as session:
        assert drawn(session, none) == [[], []]
        # 16 conversations of two replies are 32 rows.
        assert [len(ids) for ids in drawn(session, few)] == [8, 8]
        assert [len(ids) for ids in drawn(session, more)] == [16, 16]
        assert [ids[:8] for ids in drawn(session, more)] == drawn(session, few)
        assert len({tuple(ids) for ids in drawn(session, few)}) == 2, "each round draws anew"
        hashes = {
            run: [one.data_hash for one in policies.adapters_of_run(session, run)] for run in (none, few)
        }
        undisturbed, facts = drawn(session, more), run_facts(session, more)
    assert not set(hashes[none]) & set(hashes[few])
    with fresh() as other, other.server() as url:
        process = other.start(
            "launch", other.spec(**SPEC, mitigations=SAFETY | {"safety_share": 0.5}), **SETTINGS
        )
        engine = open_engine(url)
        training = "SELECT count(*) FROM phases WHERE name = 'train' AND status = 'running'"
        await_that(lambda: is_true(engine, training), "a training")
        engine.dispose()
        os.killpg(process.pid, signal.SIGKILL)
        ended(process)
        other.await_quiet()
        again = other.run("launch", other.home / "small.yaml", **SETTINGS)
        assert again.code == 0, again.err
        with other.database() as session:
            (run,) = runs.list_runs(session)
            assert drawn(session, run.id) == undisturbed
            assert run_facts(session, run.id) == facts
