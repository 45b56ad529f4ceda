"""`driftloop serve`: one process tree that answers, works what is launched over REST, and leaves nothing."""

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from typing import IO

import httpx2
import pytest
import yaml
from sqlalchemy import Engine

from services.app.serve import guest
from services.core.db import tokens
from services.core.db.session import transaction
from services.core.domain.errors import ServiceUnreachable, Unauthorised
from services.core.domain.phases import RunStatus
from services.core.rest.client import Client
from tests.e2e.installation import Installation, ended, fresh

ONE_WORKER = {"DRIFTLOOP_WORKERS": 1}
QUICK = {"evaluation": {"benchmarks": ["capability"]}, "population": {"conversations": 8}}


@pytest.fixture
def installation() -> Iterator[Installation]:
    with fresh() as made:
        yield made


def line_with(output: IO[str] | None, what: str) -> str:
    """Read lines until one that a pattern fits; return what it captures."""
    assert output is not None
    for line in output:
        if found := re.search(what, line):
            return found[1]
    raise AssertionError(f"it ended without saying {what}")


def stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert (done.code, done.err) == (0, "")


def test_services_at_two_addresses_of_one_database_leave_each_other_s_link_alone(engine: Engine) -> None:
    with guest(engine, "127.0.0.1", 8000, is_open=False) as first:
        with guest(engine, "192.0.2.7", 8000, is_open=False):
            pass
        assert first is not None
        with transaction(engine) as session:
            assert tokens.find(session, first)


@pytest.mark.slow
def test_it_works_what_is_launched_over_rest_and_leaves_nothing(installation: Installation) -> None:
    process = installation.start("serve", "--port", 0, **ONE_WORKER)
    link = line_with(process.stdout, r"(http://127\.0\.0\.1:\d+/login\?token=dl_\S+)")
    url, token = link.split("/login?token=")
    with pytest.raises(Unauthorised), Client(url) as stranger:
        list(stranger.runs.list())
    with Client(url, token) as client:
        written = installation.spec(**QUICK)
        spec = yaml.safe_load(written.read_text())
        run = client.runs.launch(spec).run.id
        kinds = [event.kind for event in client.runs.follow(run)]
        assert (kinds[0], kinds[-1]) == ("run.launched", "run.succeeded")
        assert client.runs.get(run).status is RunStatus.SUCCEEDED
        again = installation.run("launch", written, DRIFTLOOP_URL=url, DRIFTLOOP_TOKEN=token)
        assert "drift of honesty" in again.out
        assert "DRIFTLOOP_TOKEN" in installation.run("list", DRIFTLOOP_URL=url).err
        assert installation.run("show", run, DRIFTLOOP_URL=url, DRIFTLOOP_TOKEN=token).code == 0
    page = httpx2.get(link, follow_redirects=True)
    assert (page.status_code, str(page.url)) == (200, f"{url}/")
    stop(process)
    assert installation.processes() == []
    assert installation.leftovers() == []
    with pytest.raises(ServiceUnreachable), Client(url, token) as client:
        client.runs.get(run)
    with installation.database() as session:
        assert tokens.list_tokens(session) == ()


def test_open_lets_everybody_in_and_prints_no_token(installation: Installation) -> None:
    process = installation.start("serve", "--port", 0, "--open", **ONE_WORKER)
    url = line_with(process.stdout, r"(http://127\.0\.0\.1:\d+)")
    line_with(process.stdout, r"Over REST: +(curl \$DRIFTLOOP_URL/v1/runs)")
    with Client(url) as client:
        assert list(client.runs.list()) == []
    stop(process)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1"])
def test_an_open_service_never_leaves_the_machine(installation: Installation, host: str) -> None:
    done = installation.run("serve", "--open", "--host", host)
    assert done.code == 2
    assert done.err.startswith("driftloop: DRIFTLOOP_AUTH: an open service may only listen on this machine")
    assert not installation.data.exists()


def test_a_port_in_use_is_one_line(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = installation.run("serve", "--port", port)
    assert done.code == 2
    assert done.err == (
        f"driftloop: --host 127.0.0.1 --port {port}: address already in use; name another port or host\n"
    )
    assert not installation.data.exists()
