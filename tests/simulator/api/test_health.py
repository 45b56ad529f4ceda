"""Probes and metrics: what watches the process is told what it needs, and no more."""

import re

from sqlalchemy import text
from starlette.testclient import TestClient

from services.app.catalogue import Catalogue
from services.core.db.migrate import newest
from services.core.db.session import open_engine
from services.core.settings import Settings
from services.simulator.api.app import create_api
from services.simulator.api.auth import COOKIE
from services.simulator.api.state import ApiState
from tests.core.db.builders import a_run
from tests.simulator.api.service import HERE, Api


def test_it_is_alive_and_ready(guarded: Api) -> None:
    assert guarded.client.get("/healthz").json() == {"status": "ok"}
    assert guarded.client.get("/readyz").json() == {"status": "ok"}


def test_another_schema_is_not_ready(api: Api) -> None:
    with api.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    try:
        answer = api.client.get("/readyz")
    finally:
        with api.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :newest"), {"newest": newest()})
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:driftloop:database")
    assert (
        answer.json()["detail"]
        == f"the schema is 0001, this version needs {newest()}; run `driftloop migrate`"
    )


def on(database_url: str, **settings: str) -> TestClient:
    found = Settings.model_validate({"auth": "open", **settings})
    state = ApiState(open_engine(database_url), found, Catalogue(found), lambda _: None)
    return TestClient(create_api(state), HERE)


def test_a_database_that_is_away_is_said_everywhere() -> None:
    client = on("postgresql://nobody@127.0.0.1:1/none")
    for path in ("/readyz", "/v1/runs", "/v1/runs/x/events", "/metrics"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:driftloop:database")
    assert client.get("/healthz").status_code == 200


def test_a_database_that_is_away_is_a_page_for_browsers() -> None:
    client = on("postgresql://nobody@127.0.0.1:1/none", auth="tokens")
    client.cookies.set(COOKIE, "dl_x")
    answers = [client.get(path, headers={"Accept": "text/html"}) for path in ("/", "/nosuch")]
    assert [answer.status_code for answer in answers] == [503, 404]
    assert all("text/html" in answer.headers["content-type"] for answer in answers)


def test_redis_is_asked_for_if_there_is_one(database_url: str, redis_url: str) -> None:
    assert on(database_url, DRIFTLOOP_REDIS_URL=redis_url).get("/readyz").status_code == 200
    answer = on(database_url, DRIFTLOOP_REDIS_URL="redis://127.0.0.1:1").get("/readyz")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:driftloop:not_ready")


def test_metrics_count_runs_shards_and_requests(api: Api) -> None:
    a_run(api.engine, evaluation_items=10)  # three shards of four
    with api.engine.begin() as connection:
        connection.execute(text("UPDATE phases SET owed_at = now() - interval '50 s' WHERE shard = 1"))
    run_id = a_run(api.engine, evaluation_items=1, seed=2)
    api.client.post(f"/v1/runs/{run_id}/cancel")
    api.client.get(f"/v1/runs/{run_id}")
    api.client.get("/v1/runs/nosuch")
    api.client.get("/nosuch")
    api.client.request("SHOUT", "/v1/runs")
    told = api.client.get("/metrics").text
    assert 'driftloop_runs{status="running"} 1.0' in told
    assert 'driftloop_runs{status="cancelled"} 1.0' in told
    assert 'driftloop_runs{status="failed"} 0.0' in told
    assert 'driftloop_shards{phase="evaluate",status="owed"} 3.0' in told
    waiting = re.search(r"^driftloop_oldest_due_shard_seconds (\S+)$", told, re.MULTILINE)
    assert waiting is not None
    assert float(waiting[1]) >= 50
    for method, route, status in [
        ("GET", "/v1/runs/{run_id}", 200),
        ("GET", "/v1/runs/{run_id}", 404),
        ("POST", "/v1/runs/{run_id}/cancel", 200),
        ("GET", "unmatched", 404),
    ]:
        line = f'driftloop_requests_total{{method="{method}",route="{route}",status="{status}"}} 1.0'
        assert line in told
    assert 'method="SHOUT"' not in told
    assert 'driftloop_request_seconds_count{method="GET",route="/v1/runs/{run_id}"} 2.0' in told
    assert run_id not in told
