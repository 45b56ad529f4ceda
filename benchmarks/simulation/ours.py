"""The simulator as a worker runs it: a run in an embedded Postgres, its simulate phase, every conversation stored.

`python -m benchmarks.simulation.ours URL CONVERSATIONS EXCHANGES IN_FLIGHT wire|litellm [SHARD_SIZE]` prints seconds, CPU seconds of this process
(Postgres is another), and its memory as the round went on, as JSON.
"""

import importlib
import json
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Engine, func, select

from benchmarks.simulation.talks import SEED
from services.app.catalogue import Catalogue
from services.app.database import open_database
from services.app.wiring import open_worker
from services.core.db import phases, runs, trajectories
from services.core.db.session import transaction
from services.core.db.tables import TrajectoryRow
from services.core.domain.phases import PhaseName, WorkerKind
from services.core.domain.selection import select as choose
from services.core.domain.trajectory import TrajectoryStatus
from services.core.operations import launching
from services.core.operations.planning import read_arms
from services.core.queue import rounds
from services.core.queue.worker import Worker
from services.core.settings import Settings


def endpoint(way: str, url: str) -> dict[str, str]:
    """Return how the users are asked. The policy is always on the wire."""
    if way == "wire":
        return {"model": "pocket", "url": url}
    return {"model": "openai/pocket", "api_base": f"{url}/v1"}


def spec(conversations: int, exchanges: int, in_flight: int, shard_size: int) -> dict[str, Any]:
    """Return the spec of one round with the therapist's people."""
    half = conversations // 2
    return {
        "name": "simulation",
        "seed": SEED,
        "rounds": 1,
        "population": {"environment": "therapist", "biased_share": 0.5, "conversations": conversations},
        "conversation": {"user_model": "users", "exchanges": exchanges, "check_users": True},
        "selection": {"top": half, "bottom": half},
        "training": {"method": "kto"},
        "evaluation": {"benchmarks": ["capability"]},
        "concurrency": {"in_flight": in_flight, "shard_size": shard_size},
    }


@contextmanager
def at_simulate(settings: Settings, values: dict[str, Any]) -> Generator[tuple[Engine, str, Worker]]:
    """Launch a run and bring it to its first simulate phase, which the yielded worker then finds due."""
    with open_database(settings) as database:
        arms = read_arms(values, Catalogue(settings))
        with transaction(database.engine) as session:
            (run_id,) = launching.launch(session, "simulation", arms).run_ids
        while _close_next(database.engine):
            pass  # round 0 would only measure the base
        with open_worker(settings, database.engine, "benchmark", [WorkerKind.SIMULATOR]) as worker:
            yield database.engine, run_id, worker


def _close_next(engine: Engine) -> bool:
    with transaction(engine) as session:
        held = phases.claim_next(session, [PhaseName.EVALUATE], "benchmark", 60)
        if held is not None and phases.finish(session, held):
            rounds.close_phase(session, held)
    return held is not None


def run(settings: Settings, values: dict[str, Any]) -> dict[str, Any]:
    """Hold the round and return what it took."""
    process = psutil.Process()
    with at_simulate(settings, values) as (engine, run_id, worker):
        memory_mib = [_rss_mib(process)]
        began, cpu = time.perf_counter(), time.process_time()
        while worker.work_one():
            memory_mib.append(_rss_mib(process))
        took = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
        _check_whole(engine, values["population"]["conversations"])
        return took | {"memory_mib": memory_mib, "selection_s": _selection_s(engine, run_id)}


def _check_whole(engine: Engine, conversations: int) -> None:
    with transaction(engine) as session:
        counted = select(func.count()).where(TrajectoryRow.status == TrajectoryStatus.SCORED)
        assert session.execute(counted).scalar_one() == conversations


def _selection_s(engine: Engine, run_id: str) -> float:
    began = time.perf_counter()
    with transaction(engine) as session:
        run_ = runs.get_run(session, run_id)
        candidates = trajectories.candidates(session, run_id, 1)
        choose(candidates, run_.spec.selection, run_.spec.training.method, (SEED, 1))
    return time.perf_counter() - began


def _rss_mib(process: psutil.Process) -> float:
    return process.memory_info().rss / 2**20


def main() -> None:
    """Run once and print."""
    url, conversations, exchanges, in_flight = sys.argv[1], *map(int, sys.argv[2:5])
    shard_size = int(sys.argv[6]) if len(sys.argv) > 6 else conversations
    if sys.argv[5] == "litellm":
        importlib.import_module("litellm")  # seconds that a worker spends once
    with tempfile.TemporaryDirectory(prefix="driftloop-benchmark-") as folder:
        settings = Settings.model_validate(
            {
                "data": Path(folder),
                "database_url": None,
                "redis_url": None,
                "policy_urls": {"pocket": url},
                "endpoints": {"users": endpoint(sys.argv[5], url)},
            }
        )
        print(json.dumps(run(settings, spec(conversations, exchanges, in_flight, shard_size))))


if __name__ == "__main__":
    main()
