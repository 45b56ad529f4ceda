"""Scenarios over REST: people whom models wrote are there, counted and named."""

import json
import shutil
from pathlib import Path

from sqlalchemy import Engine
from starlette.testclient import TestClient

from services.app.catalogue import Catalogue
from services.core.settings import PROJECT, Settings
from services.simulator.api.app import create_api
from services.simulator.api.state import ApiState
from tests.simulator.api.service import HERE


def test_people_whom_models_wrote_are_counted_and_named(engine: Engine, tmp_path: Path) -> None:
    home = Path(shutil.copytree(PROJECT / "tests/fixtures/environment", tmp_path / "fixture"))
    (home / "profiles").mkdir()
    person = {"name": "p0000", "context": "He drinks at noon.", "opening": "It is noon."}
    (home / "profiles/drinking.jsonl").write_text(json.dumps(person) + "\n")
    settings = Settings.model_validate({"data": tmp_path, "auth": "open", "scenarios": tmp_path})
    client = TestClient(create_api(ApiState(engine, settings, Catalogue(settings), lambda _: None)), HERE)

    listed = {one["name"]: one for one in client.get("/v1/scenarios").json()["items"]}
    assert (listed["drinking"]["profiles"], listed["drinking"]["generated"]) == (4, 1)
    assert listed["meals"]["generated"] == 0
    authors = [one["author"] for one in client.get("/v1/scenarios/fixture/drinking").json()["profiles"]]
    assert authors == [None, None, None, "unknown"]
    # One that somebody is still writing keeps nobody from the others.
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished/environment.yaml").touch()
    assert {one["environment"] for one in client.get("/v1/scenarios").json()["items"]} == {"fixture"}
    assert "did you mean fixture/meals?" in client.get("/v1/scenarios/fixture/meal").json()["detail"]
    assert client.get("/v1/scenarios?environment=unfinished").status_code == 422
    seen = client.get("/v1/scenarios/fixture/drinking/preview?profile=p0000").json()
    assert (seen["opening"], seen["profiles"], seen["generated"]) == ("It is noon.", 4, 1)
