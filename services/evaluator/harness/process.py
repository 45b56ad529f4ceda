"""The harness as a process: given one job, it tells line by line what is done, until it ends, is silent for too long, or is not wanted any more.

It runs in a session of its own, without this installation's settings. It ends when its stdin is closed, so it never outlives a worker, however
that ends.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_CHILD: Final = Path(__file__).with_name("child.py")
_PRIVATE: Final = ("DRIFTLOOP_", "INSPECT_", "DATABASE_URL", "REDIS_URL", "PYTHONPATH")
_LONGEST_LINE_BYTES: Final = 64 << 20
_GRACE_S: Final = 15.0
"""Longer than the harness's own, in which it clears its sandboxes away."""
_TOLD_CHARACTERS: Final = 300

Receive = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class HarnessProcess:
    """How the harness is run."""

    python: Path
    folder: Path
    """Of its log and its own logs, which `inspect view` shows."""
    silence_s: float
    """The longest time without a line; a task may have to fetch its data first."""

    async def run(self, job: Mapping[str, Any], receive: Receive) -> str:
        """Do the job; return why it ended, in one line, which may be that it is done. Ends the process if cancelled."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "harness.log"
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                self.python,
                _CHILD,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                cwd=self.folder,
                env={name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)},
                start_new_session=True,
                limit=_LONGEST_LINE_BYTES,
            )
        try:
            return await self._heard(process, job, receive) or _last_words(log, await process.wait())
        finally:
            await _end(process)

    async def _heard(
        self, process: asyncio.subprocess.Process, job: Mapping[str, Any], receive: Receive
    ) -> str | None:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(ConnectionError):  # it ended before it heard the job; its log says why
            process.stdin.write(json.dumps(job).encode() + b"\n")
            await process.stdin.drain()
        while True:
            try:
                line = await asyncio.wait_for(process.stdout.readline(), self.silence_s)
            except TimeoutError:
                return f"the harness was silent for {self.silence_s:g} s"
            if not line.endswith(b"\n"):
                return None
            receive(json.loads(line))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let the process clear up, then end it and whatever it started."""
    if process.returncode is None:
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _last_words(log: Path, status: int) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    said = lines[-1].strip() if lines and status else ""
    return f"the harness ended with status {status}: {said}"[:_TOLD_CHARACTERS]
