"""Embedded Postgres: started by the first, stopped by the last, whatever happened to those in between."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from services.core.db.embedded import embedded_postgres
from services.core.db.session import open_engine, transaction
from services.core.domain.errors import DatabaseError

HOLD = """
import sys, time
from pathlib import Path
from services.core.db.embedded import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    time.sleep(600)
"""


def hold(data: Path) -> subprocess.Popen[str]:
    """A process that uses the server until it is killed; returns when it does."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(data)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "postgresql://" in process.stdout.readline()
    return process


def postmaster(data: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(int((data / "postgres/postmaster.pid").read_text().split()[0]))
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def answers(url: str) -> bool:
    engine = open_engine(url)
    with transaction(engine) as session:
        value = session.execute(text("SELECT 42")).scalar_one()
    engine.dispose()
    return value == 42


def test_the_last_to_leave_stops_it(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as first:
        with embedded_postgres(tmp_path) as second:
            assert first == second
        assert answers(first)
    assert postmaster(tmp_path) is None


def test_a_killed_user_does_not_keep_it_running(tmp_path: Path) -> None:
    killed = hold(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert postmaster(tmp_path) is not None
    with embedded_postgres(tmp_path) as url:
        assert answers(url)
    assert postmaster(tmp_path) is None


def test_a_killed_server_starts_again_with_its_data(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as url:
        engine = open_engine(url)
        with transaction(engine) as session:
            session.execute(text("CREATE TABLE kept AS SELECT 42 AS value"))
        engine.dispose()
        server = postmaster(tmp_path)
        assert server is not None
        server.kill()
        psutil.wait_procs([server], timeout=10)
        with embedded_postgres(tmp_path) as again:
            engine = open_engine(again)
            with transaction(engine) as session:
                assert session.execute(text("SELECT value FROM kept")).scalar_one() == 42
            engine.dispose()
    assert postmaster(tmp_path) is None


def test_a_stale_pid_file_with_another_programs_number_is_no_server(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path):
        pid_file = (tmp_path / "postgres/postmaster.pid").read_text()
    lines = pid_file.split("\n")
    (tmp_path / "postgres/postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]))
    with embedded_postgres(tmp_path) as url:
        assert answers(url)


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="DRIFTLOOP_DATA"), embedded_postgres(tmp_path / "file/data"):
        pass


def test_one_that_does_not_start_says_why_in_one_line_and_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres/in-the-way").touch()
    with pytest.raises(DatabaseError) as caught, embedded_postgres(tmp_path):
        pass
    assert re.fullmatch(
        r"embedded Postgres did not start: directory .* exists but is not empty; mend that, or .*DRIFTLOOP_DATA; .*",
        str(caught.value),
    )
    assert capfd.readouterr().err == ""
