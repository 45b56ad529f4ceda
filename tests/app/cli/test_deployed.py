"""What a deployment's containers run, as processes: the migrations and the API."""

import json
import os
import socket
import subprocess

import httpx2
import pytest
from sqlalchemy import Engine, text

from services.core.db.migrate import newest
from services.core.db.session import open_engine
from tests.e2e.installation import DRIFTLOOP
from tests.e2e.serving import serving


def run(*words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"} | settings
    return subprocess.run(
        [DRIFTLOOP, *words], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_migrate_makes_the_schema_once(empty_database: str):
    for _ in range(2):
        done = run("migrate", DATABASE_URL=empty_database)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    engine = open_engine(empty_database)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == newest()
    engine.dispose()


@pytest.mark.parametrize("command", ["migrate", "api"])
def test_without_a_database_it_says_what_to_set(command: str):
    done = run(command)
    assert (done.returncode, done.stderr) == (
        2,
        "driftloop: DATABASE_URL: this needs a Postgres; set it to postgresql://…\n",
    )


def test_migrate_says_when_postgres_is_away():
    done = run("migrate", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert done.returncode == 1
    assert done.stderr.startswith("driftloop: Postgres can't be reached: ")
    assert done.stderr.endswith("refused; start it, or mend DATABASE_URL\n")
    assert done.stderr.count("\n") == 1


def test_the_api_is_ready_and_guarded(engine: Engine, database_url: str):
    with serving("api", health="/healthz", DATABASE_URL=database_url) as server:
        assert httpx2.get(f"{server.url}/readyz").json() == {"status": "ok"}
        assert httpx2.get(f"{server.url}/v1/runs").status_code == 401


@pytest.mark.slow
def test_tokens_open_the_api_until_they_are_revoked(engine: Engine, database_url: str):
    def tokens(*words: str) -> "subprocess.CompletedProcess[str]":
        return run("tokens", *words, DATABASE_URL=database_url)

    secret = tokens("create", "ann", "--scope", "read").stdout.strip()
    again = tokens("create", "ann")
    assert (again.returncode, again.stdout) == (2, "")
    assert "there is a token 'ann' already" in again.stderr
    listed = tokens("list", "--json").stdout
    assert [(one["name"], one["scope"]) for one in json.loads(listed)] == [("ann", "read")]
    assert secret not in listed + tokens("list").stdout
    with serving("api", health="/healthz", DATABASE_URL=database_url) as server:

        def status() -> int:
            bearer = {"Authorization": f"Bearer {secret}"}
            return httpx2.get(f"{server.url}/v1/runs", headers=bearer).status_code

        assert status() == 200
        assert tokens("revoke", "ann").returncode == 0
        assert status() == 401
    assert tokens("revoke", "ann").returncode == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "driftloop.example"])
def test_an_open_api_never_leaves_the_machine(host: str):
    done = run(
        "api", "--host", host, DRIFTLOOP_AUTH="open", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"
    )
    assert done.returncode == 2
    assert done.stderr.startswith(
        "driftloop: DRIFTLOOP_AUTH: an open service may only listen on this machine"
    )


@pytest.mark.parametrize("command", [("api",), ("pocket", "serve")])
def test_a_port_that_is_taken_is_one_line(command: tuple[str, ...]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(*command, "--port", str(port), DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    said = f"driftloop: --host 127.0.0.1 --port {port}: address already in use; name another port or host\n"
    assert (done.returncode, done.stderr) == (2, said)
