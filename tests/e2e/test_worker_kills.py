"""Queue workers killed at random moments, a flushed Redis, a crashed Postgres: the runs end as if undisturbed.

What is killed and how long is waited is drawn from a seed. A kill comes only after some shard has been done since the
last one, so that the runs get on at any speed of the machine, and before the runs have ended.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import pytest
from redis import Redis
from sqlalchemy import text

from services.core.db import runs
from services.core.db.session import transaction
from services.core.domain.phases import RunStatus, WorkerKind
from tests.e2e.fleet import Fleet, fleet_of
from tests.e2e.installation import SMALL, Installation, await_that, fresh, row_counts, run_facts

pytestmark = pytest.mark.slow

SIMULATOR, TRAINER, EVALUATOR = WorkerKind
SPEC: dict[str, Any] = SMALL | {
    "rounds": 2,
    "training": SMALL["training"] | {"batch_size": 2, "epochs": 2},
    # Many small shards: work for every kill, on a quick machine too.
    "concurrency": {"in_flight": 16, "shard_size": 6},
    "sweep": {"seed": [3, 4]},
}
KILLS = 24
FLUSHED_AT = (7, 17)
CRASHED_AT = 12


class Outcome(NamedTuple):
    """What a completed installation holds."""

    facts: dict[str, Any]
    rows: dict[str, int]
    files: list[str]
    leftovers: list[str]


def outcome(installation: Installation) -> Outcome:
    adapters = installation.data / "adapters"
    with installation.database() as session:
        ended = runs.list_runs(session)
        assert {run.status for run in ended} == {RunStatus.SUCCEEDED}
        return Outcome(
            {run.id: run_facts(session, run.id) for run in ended},
            row_counts(session),
            sorted(str(path.relative_to(adapters)) for path in adapters.rglob("*")),
            installation.leftovers(),
        )


@pytest.fixture(scope="module")
def undisturbed() -> Outcome:
    """What inline workers come to when nothing happens to them."""
    with fresh() as installation:
        done = installation.run("launch", installation.spec(**SPEC))
        assert done.code == 0, done.err
        return outcome(installation)


@pytest.fixture
def installation() -> Iterator[Installation]:
    with fresh() as made:
        yield made


def done(fleet: Fleet) -> int:
    with transaction(fleet.engine) as session:
        query = text("SELECT count(*) FROM phases WHERE status = 'done'")
        return session.execute(query).scalar_one()


def silences(fleet: Fleet) -> dict[str, int]:
    """How often a worker of each phase fell silent."""
    query = text("SELECT name, sum(silences) FROM phases GROUP BY name HAVING sum(silences) > 0")
    with transaction(fleet.engine) as session:
        return dict(session.execute(query).all())


def kill_one(fleet: Fleet, kills: Counter[WorkerKind], chance: random.Random) -> None:
    """Kill a worker at some moment, most often in mid-shard, and replace it as a supervisor would."""
    await_that(lambda: fleet.holding() or not fleet.are_running(), "a shard to be worked")
    time.sleep(chance.uniform(0, 0.3))
    assert fleet.are_running(), "the runs ended before the kills did"
    busy = [held.worker for held in fleet.holding()]
    victims = busy if busy and chance.random() < 0.75 else fleet.alive()
    chance.shuffle(victims)
    # Of the kind that has suffered least, so that all are met.
    victim = min(victims, key=lambda name: kills[fleet.kind(name)])
    kills[fleet.kind(victim)] += 1
    fleet.kill(victim)
    fleet.start(fleet.kind(victim))


def test_killed_flushed_and_crashed_all_along(undisturbed: Outcome, installation: Installation) -> None:
    chance, kills = random.Random(11), Counter[WorkerKind]()
    with fleet_of(installation, lease_s=2) as fleet:
        for kind in (SIMULATOR, SIMULATOR, TRAINER, EVALUATOR):
            fleet.start(kind)
        fleet.launch(SPEC)
        for number in range(KILLS):
            before = done(fleet)
            kill_one(fleet, kills, chance)
            if number in FLUSHED_AT:
                Redis.from_url(fleet.redis.url).flushall()
            if number == CRASHED_AT:
                fleet.restart_postgres()
            await_that(lambda before=before: done(fleet) > before, "a shard to be done", every_s=0.05)
        print(f"{done(fleet)} shards done at the last kill")
        await_that(lambda: not fleet.are_running(), "the runs to end", every_s=0.2)
        print(f"kills {dict(kills)}, met in mid-shard {silences(fleet)}")
        assert kills.total() == KILLS
        assert set(kills) == set(WorkerKind)
        assert silences(fleet)
        fleet.end_all()
        installation.await_quiet()
    assert outcome(installation) == undisturbed


def test_a_killed_workers_shard_is_worked_again_within_its_lease(installation: Installation) -> None:
    with fleet_of(installation) as fleet:
        names = fleet.start_ready(EVALUATOR, EVALUATOR)
        fleet.launch(SMALL | {"concurrency": {"in_flight": 1, "shard_size": 10_000}})
        (held,) = await_that(fleet.holding, "the shard to be claimed")
        killed_at = now(fleet)
        fleet.kill(held.worker)
        (again,) = await_that(fleet.holding, "another worker to have it")
        elapsed_s = (now(fleet) - killed_at).total_seconds()
    print(f"worked again after {elapsed_s:.1f} s")
    assert (again.phase_id, again.attempt) == (held.phase_id, held.attempt + 1)
    assert {held.worker, again.worker} == set(names)
    # A lease of 10 s, and a second until it is looked for; the rest is the machine's.
    assert elapsed_s <= 15


def now(fleet: Fleet) -> datetime:
    with transaction(fleet.engine) as session:
        return session.execute(text("SELECT clock_timestamp()")).scalar_one()
