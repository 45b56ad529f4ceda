"""A queue worker's start: what it needs, what it waits for, what it leaves out; and its log."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine, text

from services.app.logs import log_as_json
from services.app.queue_worker import await_schema
from services.core.db.migrate import newest, upgrade
from services.core.db.session import open_engine
from services.core.domain.errors import DatabaseError
from tests.e2e.installation import DRIFTLOOP

NO_TORCH = """
import sys

class Blocked:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {"torch", "transformers", "trl", "peft", "fastapi", "altair", "pyarrow"}:
            raise ImportError(name)

sys.meta_path.insert(0, Blocked())
import services.app.cli.main
import services.app.queue_worker
"""


def worker(kind: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    kept = {
        key: value for key, value in os.environ.items() if not key.endswith(("DATABASE_URL", "REDIS_URL"))
    }
    return subprocess.run(
        [DRIFTLOOP, "worker", kind],
        env=kept | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("settings", "lacking"),
    [
        ({"REDIS_URL": "redis://127.0.0.1:1"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "REDIS_URL"),
    ],
)
def test_it_says_in_one_line_what_is_not_set(settings: dict[str, str], lacking: str):
    done = worker("evaluator", **settings)
    assert done.returncode == 2
    assert done.stderr.startswith(f"driftloop: {lacking}: ")
    assert done.stderr.count("\n") == 1


def test_there_are_three_kinds():
    done = worker("cook")
    assert done.returncode == 2
    assert "simulator" in done.stderr


def test_workers_that_only_talk_need_nothing_that_trains_draws_or_serves():
    done = subprocess.run([sys.executable, "-c", NO_TORCH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_waits_for_postgres_and_says_when_it_does_not_come(tmp_path: Path):
    nowhere = open_engine(f"postgresql://nobody@/none?host={tmp_path}")
    with pytest.raises(DatabaseError, match="can't be reached"):
        await_schema(nowhere, patience_s=0)


@pytest.fixture
def empty(empty_database: str) -> Iterator[Engine]:
    engine = open_engine(empty_database)
    yield engine
    engine.dispose()


def test_it_waits_for_the_migrations_and_says_when_they_do_not_come(empty: Engine):
    with pytest.raises(
        DatabaseError, match=f"not there, this version needs {newest()}; run `driftloop migrate`"
    ):
        await_schema(empty, patience_s=0)
    migrating = threading.Timer(0.5, upgrade, [empty])
    migrating.start()
    await_schema(empty, patience_s=60)
    migrating.join()


def test_a_schema_of_an_older_version_is_named(empty: Engine):
    upgrade(empty)
    with empty.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(DatabaseError, match="the schema is 0001, this version needs"):
        await_schema(empty, patience_s=0)


@pytest.fixture
def json_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log as a worker has it, and then again as it was."""
    root, ours = logging.getLogger(), logging.getLogger("services")
    handlers, level, our_level = root.handlers[:], root.level, ours.level
    log_as_json("simulator-1")
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(our_level)


def test_every_line_says_who_and_on_what_libraries_lines_too(capsys: pytest.CaptureFixture[str], request):
    request.getfixturevalue("json_log")
    ours = structlog.get_logger("services.test")
    with structlog.contextvars.bound_contextvars(run="r", shard=3):
        ours.info("claimed")
        logging.getLogger("some.library").warning("careful: %s", "hot")
        logging.getLogger("some.library").info("chatter")
        try:
            raise ValueError("no")
        except ValueError:
            logging.getLogger("some.library").exception("broken")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["claimed", "careful: hot", "broken"]
    assert [line["level"] for line in lines] == ["info", "warning", "error"]
    assert all((line["worker"], line["run"], line["shard"]) == ("simulator-1", "r", 3) for line in lines)
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert "ValueError: no" in lines[2]["exception"]
