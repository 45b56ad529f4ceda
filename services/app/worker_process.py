"""One worker of the inline worker: `python -m services.app.worker_process [RUN…]`, started by the crew.

It works whatever shards are due, of the runs that it is given or of all, until it is told to stop (SIGTERM), or until its owner dies, which it learns from
the end of its standard input. Either way it hands its shard back before it goes, so nothing waits for a lease.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from services.app.logs import log_as_json
from services.app.wiring import open_worker
from services.core.db.session import open_engine, transaction
from services.core.domain.errors import SpecError
from services.core.queue.stop import Stop, stop_on_signals
from services.core.settings import Settings

IDLE_S = 0.1
# A service that nobody uses should cost nothing.
DROWSY_AFTER_S = 30.0
DROWSY_S = 1.0
# How long handing back may take after the owner died, before the process ends regardless.
LAST_GASP_S = 5.0


def main() -> None:
    """Run until told to stop."""
    name = f"worker-{os.getpid()}"
    log_as_json(name)
    stop_on_signals()
    threading.Thread(target=_follow_owner, daemon=True).start()
    try:
        _work(name)
    except Stop:
        return


def _work(name: str) -> None:
    settings = Settings()
    if settings.database_url is None:
        raise SpecError("DRIFTLOOP_DATABASE_URL: a worker needs a database; set it")
    engine = open_engine(settings.database_url)
    # A worker that can't begin ends; one that has begun waits for a database that it loses.
    with transaction(engine):
        pass
    nursery = Path(os.environ["DRIFTLOOP_NURSERY"])
    run_ids = sys.argv[1:] or None
    with open_worker(settings, engine, name, nursery=nursery, run_ids=run_ids) as worker:
        worked_at = time.monotonic()
        while True:
            if worker.work_one():
                worked_at = time.monotonic()
            else:
                time.sleep(IDLE_S if time.monotonic() - worked_at < DROWSY_AFTER_S else DROWSY_S)


def _follow_owner() -> None:
    # Not sys.stdin: its lock, held by a daemon thread, would break the interpreter's end.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_GASP_S)
    os._exit(1)


if __name__ == "__main__":
    main()
