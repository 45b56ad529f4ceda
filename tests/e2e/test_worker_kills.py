"""Queue workers killed at random moments, a flushed Redis, a crashed Postgres: the runs end as if undisturbed.

What is killed and how long is waited is drawn from a seed. Kills are spread over the runs by how much is done, not by
the clock, so that the runs get on at any speed of the machine and every kill comes before they have ended.
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
SHARDS_A_KILL = 3
"""At least these many are done between two kills, of the 102 that the runs have."""
PATIENCE_SHARDS = 12
"""So many more may be done while a worker of the wanted kind is waited for."""
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


def silent_phases(fleet: Fleet) -> set[str]:
    """The phases in which workers fell silent."""
    query = text("SELECT DISTINCT name FROM phases WHERE silences > 0")
    with transaction(fleet.engine) as session:
        return set(session.execute(query).scalars())


def kill_one(fleet: Fleet, kind: WorkerKind, most: int, chance: random.Random) -> bool:
    """Kill a worker of a kind and replace it, as a supervisor would; in mid-shard if it gets one before `most` are done."""
    await_that(lambda: fleet.holding(kind) or done(fleet) >= most, f"a {kind} to work")
    time.sleep(chance.uniform(0, 0.2))
    assert fleet.are_running(), "the runs ended before the kills did"
    busy = [held.worker for held in fleet.holding(kind)]
    victim = chance.choice(busy or [name for name in fleet.alive() if fleet.kind(name) is kind])
    fleet.kill(victim)
    fleet.start(kind)
    return bool(busy)


def test_killed_flushed_and_crashed_all_along(undisturbed: Outcome, installation: Installation) -> None:
    chance = random.Random(11)
    victims = [*WorkerKind] * (KILLS // 3)
    chance.shuffle(victims)
    met = Counter[WorkerKind]()
    with fleet_of(installation, lease_s=2) as fleet:
        for kind in (SIMULATOR, SIMULATOR, TRAINER, EVALUATOR):
            fleet.start(kind)
        fleet.launch(SPEC)
        for number, kind in enumerate(victims):
            least = SHARDS_A_KILL * number
            await_that(lambda least=least: done(fleet) >= least, "shards to be done", every_s=0.05)
            met[kind] += kill_one(fleet, kind, least + PATIENCE_SHARDS, chance)
            if number in FLUSHED_AT:
                Redis.from_url(fleet.redis.url).flushall()
            if number == CRASHED_AT:
                fleet.restart_postgres()
        await_that(lambda: not fleet.are_running(), "the runs to end", every_s=0.2)
        print(f"{len(victims)} kills, {dict(met)} of them in mid-shard; silent: {silent_phases(fleet)}")
        assert set(+met) == set(WorkerKind), "each kind was killed in mid-shard"
        assert silent_phases(fleet)
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
