"""One worker of the inline worker: `python -m services.app.worker_process`, started by the crew.

It works whatever shards are due until it is told to stop (SIGTERM), or until its owner dies, which it learns from
the end of its standard input. Either way it hands its shard back before it goes, so nothing waits for a lease.
"""

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

import structlog

from services.app.wiring import open_worker
from services.core.queue.worker import Stop

IDLE_S = 0.1
# How long handing back may take after the owner died, before the process ends regardless.
LAST_GASP_S = 5.0


def main() -> None:
    """Run until told to stop."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_follow_owner, daemon=True).start()
    try:
        with open_worker(f"worker-{os.getpid()}") as worker:
            while True:
                if not worker.work_one():
                    time.sleep(IDLE_S)
    except Stop:
        return


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    # A second signal must not interrupt the handing back.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stop


def _follow_owner() -> None:
    # Not sys.stdin: its lock, held by a daemon thread, would break the interpreter's end.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_GASP_S)
    os._exit(1)


if __name__ == "__main__":
    main()
