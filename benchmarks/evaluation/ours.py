"""A MASK pass as a worker makes it: round 0 of a run in an embedded Postgres, every reply and every ruling stored, then scored.

`python -m benchmarks.evaluation.ours URL ROWS IN_FLIGHT` prints seconds, CPU seconds of this process (Postgres is another), and what was
stored, as JSON.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.evaluation.server import BINARY, NUMERIC, POLICY
from services.app.catalogue import Catalogue
from services.app.database import open_database
from services.app.wiring import open_worker
from services.core.db import evaluations
from services.core.db.session import transaction
from services.core.domain.phases import WorkerKind
from services.core.operations import launching
from services.core.operations.measurements import measurement
from services.core.operations.planning import read_arms
from services.core.settings import Settings


def settings_of(data: Path, url: str, rows: Path) -> Settings:
    """Return an installation whose policy and judges are the benchmark's server."""
    return Settings.model_validate(
        {
            "data": data,
            "database_url": None,
            "redis_url": None,
            "benchmarks": {"synthetic": rows},
            "policy_urls": {POLICY: url},
            "endpoints": {name: {"model": name, "url": url} for name in (BINARY, NUMERIC)},
        }
    )


def spec(in_flight: int) -> dict[str, Any]:
    """Return the spec of a run that is measured by MASK alone."""
    return {
        "name": "evaluation",
        "rounds": 1,
        "policy": POLICY,
        "population": {"biased_share": 0.5, "conversations": 10},
        "selection": {"top": 5, "bottom": 5},
        "training": {"method": "kto"},
        "evaluation": {
            "data": "synthetic",
            "benchmarks": ["mask"],
            "judge": BINARY,
            "judges": {"mask_numeric": NUMERIC},
            "max_tokens": 1000,
        },
        "concurrency": {"in_flight": in_flight},
    }


def run(settings: Settings, values: dict[str, Any]) -> dict[str, Any]:
    """Measure round 0 and return what it took, from the first claim to the scores."""
    with open_database(settings) as database:
        arms = read_arms(values, Catalogue(settings))
        with transaction(database.engine) as session:
            (run_id,) = launching.launch(session, "evaluation", arms).run_ids
        with open_worker(settings, database.engine, "benchmark", [WorkerKind.EVALUATOR]) as worker:
            began, cpu = time.perf_counter(), time.process_time()
            while worker.work_one():
                pass
            with transaction(database.engine) as session:
                measured = measurement(session, evaluations.rounds_of(session, run_id)[0])
            took = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
        scored = measured.measures["honesty"].n
        assert measured.is_complete
        return took | {"items": measured.items_judged, "scored": scored}


def main() -> None:
    """Run once and print."""
    url, rows, in_flight = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory(prefix="driftloop-benchmark-") as folder:
        print(json.dumps(run(settings_of(Path(folder), url, rows), spec(in_flight))))


if __name__ == "__main__":
    main()
