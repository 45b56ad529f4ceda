"""An installation of its own for an end-to-end test: the real command, a data folder, and what is in it afterwards.

The commands are processes, as a person would start them, and the database is embedded, whatever DATABASE_URL says.
Facts are what the design promises to repeat; two installations that worked the same spec must hold equal ones.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import yaml
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.core.db import evaluations, policies, runs, selections, verdicts
from services.core.db.embedded import embedded_postgres
from services.core.db.migrate import upgrade
from services.core.db.session import open_engine, transaction
from services.core.db.tables import Base
from tests.core.db.facts import facts_of, held_in

Found = TypeVar("Found")

DRIFTLOOP = str(Path(sys.executable).with_name("driftloop"))
PATIENCE_S = 300
"""How long a test waits for something that must happen; far more than it takes."""

SMALL: dict[str, Any] = {
    "name": "small",
    "seed": 3,
    "rounds": 1,
    "population": {"biased_share": 0.5, "conversations": 32},
    "training": {"method": "sft", "learning_rate": 0.001, "epochs": 1, "batch_size": 8},
    "evaluation": {"benchmarks": ["capability", "held_out"], "held_out_profiles": 2},
    "concurrency": {"in_flight": 16, "shard_size": 12},
}
"""A spec that is worked in seconds."""


@dataclass(frozen=True)
class Ended:
    """What a command left: exit code and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Installation:
    """A data folder, a folder for temporary files, and the `driftloop` command that uses them."""

    home: Path

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def temporary(self) -> Path:
        return self.home / "tmp"

    def spec(self, name: str = "small", **changes: Any) -> Path:
        """Write a spec file: the small one with some sections' fields changed."""
        values: dict[str, Any] = {}
        for field, value in (SMALL | changes).items():
            is_section = isinstance(value, dict) and field in SMALL
            values[field] = SMALL[field] | value if is_section else value
        path = self.home / f"{name}.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return path

    def start(self, *arguments: object, **settings: object) -> subprocess.Popen[str]:
        """Start a command as a terminal would: in a process group of its own."""
        self.temporary.mkdir(exist_ok=True)
        return subprocess.Popen(
            [DRIFTLOOP, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(settings),
            cwd=self.home,
            start_new_session=True,
        )

    def run(self, *arguments: object, **settings: object) -> Ended:
        """Run a command to its end."""
        return ended(self.start(*arguments, **settings))

    @contextmanager
    def database(self) -> Iterator[Session]:
        """Read the database, at the newest migration, in one transaction."""
        with self.server() as url:
            engine = open_engine(url)
            with transaction(engine) as session:
                yield session
            engine.dispose()

    @contextmanager
    def server(self) -> Iterator[str]:
        """Keep the embedded Postgres running, so that commands need not start it."""
        with embedded_postgres(self.data) as url:
            engine = open_engine(url)
            upgrade(engine)
            engine.dispose()
            yield url

    def processes(self) -> list[psutil.Process]:
        """Return the living processes that work for this installation, Postgres left out."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def await_quiet(self) -> None:
        """Wait until no process works for this installation."""
        await_that(lambda: not self.processes(), "all processes to end")

    def leftovers(self) -> list[str]:
        """Return the temporary files and half-made adapters that commands left."""
        found = [
            *self.temporary.glob("driftloop-*"),
            *self.data.glob("adapters/.*"),
            *self.data.glob("adapters/step0/.*"),
        ]
        return [str(path.relative_to(self.home)) for path in found]

    def environment(self, settings: dict[str, object]) -> dict[str, str]:
        """Return what a command's process finds: this installation's folders, and these settings."""
        kept = {name: value for name, value in os.environ.items() if "DATABASE_URL" not in name}
        own = {"DRIFTLOOP_DATA": self.data, "TMPDIR": self.temporary, "COLUMNS": 160} | settings
        return kept | {name: str(value) for name, value in own.items()}

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            is_alive = process.status() != psutil.STATUS_ZOMBIE and process.name() != "postgres"
            return is_alive and process.environ().get("DRIFTLOOP_DATA") == str(self.data)
        except (psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError):
            return False


@contextmanager
def fresh() -> Iterator[Installation]:
    """Make an installation, and remove it afterwards.

    Not in pytest's folder: as root that is open to Postgres' user only until the next pytest starts.
    """
    home = Path(tempfile.mkdtemp(prefix="loop-"))
    try:
        yield Installation(home)
    finally:
        shutil.rmtree(home)


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for a command to end."""
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Ended(process.returncode, out, err)


def await_that(holds: Callable[[], Found], what: str, every_s: float = 0.02) -> Found:
    """Wait until something holds, and return it; fail after a time that is far more than it needs."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(every_s)
    return found


def run_facts(session: Session, run_id: str) -> dict[str, Any]:
    """Return all that must repeat when a run's spec is worked again, by round."""
    run = runs.get_run(session, run_id)
    rounds = range(1, run.spec.rounds + 1)
    return {
        "trajectories": {
            round_: [facts_of(held) for held in held_in(session, run.id, round_)] for round_ in rounds
        },
        "selections": {round_: selections.of_round(session, run.id, round_) for round_ in rounds},
        "adapters": {adapter.round: adapter.sha256 for adapter in policies.adapters_of_run(session, run.id)},
        "outcomes": {
            round_: [
                (verdict.key, verdict.repeat, verdict.outcome)
                for verdict in verdicts.verdicts_of(session, evaluation_id)
            ]
            for round_, evaluation_id in sorted(evaluations.rounds_of(session, run.id).items())
        },
    }


def row_counts(session: Session) -> dict[str, int]:
    """Return how many rows each table of facts holds; not of what happened and was asked on the way to them."""
    return {
        table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
        for table in Base.metadata.sorted_tables
        if table.name not in {"events", "idempotent_requests", "deleted_repetitions"}
    }
