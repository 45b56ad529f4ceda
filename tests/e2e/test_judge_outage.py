"""A judge that goes down in the middle and comes back answering badly: every verdict is there once, and what is not judged is said."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from services.core.db import evaluations, runs, verdicts
from services.core.domain.verdict import Verdict
from tests.e2e.installation import Installation, await_that, ended, fresh
from tests.e2e.judge_server import JudgeServer

OUTAGE_S = 20.0
ITEMS = 3 * 16
BEGUN = 80
"""Rulings: more than the 72 of the first shard, whose verdicts are then stored, and far from all 144 of a round."""
MASK = {
    "benchmarks": ["mask"],
    "judge": "far-judge",
    "judges": {"max_failures": 0},
    "limit": ITEMS // 3,
}

pytestmark = pytest.mark.slow


@pytest.fixture
def judge() -> Iterator[JudgeServer]:
    server = JudgeServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def installation() -> Iterator[Installation]:
    with fresh() as made, made.server():
        yield made


def settings(judge: JudgeServer) -> dict[str, object]:
    endpoint = {"model": "judge-1", "url": judge.url, "input_usd_per_million": 1, "output_usd_per_million": 1}
    return {"DRIFTLOOP_WORKERS": 1, "DRIFTLOOP_ENDPOINTS": json.dumps({"far-judge": endpoint})}


def spec(installation: Installation) -> Any:
    return installation.spec(evaluation=MASK, concurrency={"in_flight": 4, "shard_size": 12})


def measured(session: Session, run_id: str) -> dict[int, tuple[Verdict, ...]]:
    run = runs.get_run(session, run_id)
    return {
        round_: verdicts.verdicts_of(session, evaluation)
        for round_, evaluation in evaluations.rounds_of(session, run.id).items()
    }


def goes_down_and_comes_back_worse(judge: JudgeServer) -> None:
    await_that(lambda: judge.asked > BEGUN, "the judge to be asked")
    judge.down()
    judge.passing_share, judge.lasting_share = 0.1, 0.03
    time.sleep(OUTAGE_S)


def check(installation: Installation, judge: JudgeServer, run_id: str) -> None:
    """Every item has its verdict once; what was never readable is an error with its cause; the table says how much was judged."""
    with installation.database() as session:
        found = measured(session, run_id)
    assert found.keys() == {0, 1}
    outcomes = Counter[str]()
    for rows in found.values():
        assert Counter(row.key for row in rows) == {row.key: 1 for row in rows}
        assert len(rows) == ITEMS
        for row in rows:
            outcomes[row.outcome.value] += 1
            if row.is_error:
                assert (row.outcome.value, row.detail["cause"]) == ("judge_error", "unreadable")
    assert judge.malformed.keys() == {"garbled", "unread", "lasting"}
    assert 0 < outcomes["judge_error"] < ITEMS
    shown = installation.run("drift", run_id)
    assert shown.code == 0
    assert "judged: " in shown.out
    assert f"of run {run_id} the judge failed on" in " ".join(shown.out.split())


def test_an_outage_is_waited_out_and_bad_answers_are_asked_again(
    installation: Installation, judge: JudgeServer
) -> None:
    launched = installation.start("launch", spec(installation), "--json", **settings(judge))
    goes_down_and_comes_back_worse(judge)
    judge.up()
    done = ended(launched)
    assert done.code == 0, done.err
    check(installation, judge, json.loads(done.out)["runs"][0]["run"])


def test_killed_in_the_outage_it_goes_on_where_it_was(installation: Installation, judge: JudgeServer) -> None:
    launched = installation.start("launch", spec(installation), "--json", **settings(judge))
    goes_down_and_comes_back_worse(judge)
    with installation.database() as session:
        (run,) = runs.list_runs(session)
        before = {row.key: row.detail for row in measured(session, run.id)[0]}
    assert 0 < len(before) < ITEMS
    os.killpg(launched.pid, signal.SIGKILL)
    ended(launched)
    installation.await_quiet()
    judge.up()
    done = installation.run("resume", run.id, "--watch", **settings(judge))
    assert done.code == 0, done.err
    check(installation, judge, run.id)
    with installation.database() as session:
        after = {row.key: row.detail for row in measured(session, run.id)[0]}
    assert {key: after[key] for key in before} == before
