"""One of the processes of a training on several devices: `python -m services.trainer.rank`, started by `ranks`.

It reads its job from standard input and goes when that closes.
"""

import json
import os
import sys
import threading

from services.trainer import child
from services.trainer.job import TrainingJob


def main() -> None:
    """Do this rank's part, and leave."""
    _train()
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: the interpreter's own end now and then meets a thread of the process group still at work, and aborts.
    os._exit(0)


def _train() -> None:
    job = TrainingJob.model_validate_json(sys.stdin.buffer.readline())
    threading.Thread(target=_follow_owner, daemon=True).start()
    progress = os.environ.get("DRIFTLOOP_PROGRESS_FD")
    if progress is None:
        child.assist(job)
        return
    with os.fdopen(int(progress), "w") as told:

        def tell(done: int, total: int) -> None:
            print(json.dumps([done, total]), file=told, flush=True)

        child.train_here(job, tell)


def _follow_owner() -> None:
    # Not sys.stdin: its lock, held by a daemon thread, would break the interpreter's end.
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
