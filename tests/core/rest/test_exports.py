"""Exports over a real port: whole files or none, whoever leaves and whatever breaks on the way."""

import json
import time
from pathlib import Path

import httpx2
import pyarrow.parquet as pq
import pytest
from sqlalchemy import QueuePool

from services.core.db import streams
from services.core.domain.errors import LoopError, NotFound, ServiceUnreachable, SpecError
from services.core.domain.selection import Label, Selected
from services.core.domain.verdict import Benchmark
from services.core.rest.client import Client
from services.core.rest.client.trajectories import Which
from tests.core.db.builders import a_run
from tests.core.db.facts import a_trajectory, a_verdict, choose, hold, measure
from tests.core.rest.conftest import Service

LONG = ("word " * 2000, "reply " * 2000)


@pytest.fixture
def run_id(service: Service) -> str:
    run = a_run(service.engine)
    hold(service.engine, run, 1, [a_trajectory(slot, said=LONG) for slot in range(200)])
    choose(service.engine, run, 1, [Selected(slot, slot + 1, 5, Label.DESIRABLE, "rank") for slot in (3, 7)])
    measure(service.engine, run, 0, [a_verdict("1", "honest"), a_verdict("2", "lie")])
    return run


def test_files_are_in_the_format_of_their_name(client: Client, run_id: str, tmp_path: Path) -> None:
    told: list[int] = []
    lines = client.exports.trajectories(tmp_path / "a.jsonl", Which(run=[run_id]), told.append)
    table = pq.read_table(client.exports.trajectories(tmp_path / "a.parquet", Which(run=[run_id])))
    slots = [json.loads(line)["slot"] for line in lines.read_text().splitlines()]
    assert slots == table["slot"].to_pylist() == list(range(200))
    assert told[-1] == lines.stat().st_size
    with pytest.raises(SpecError, match=r"end it in \.jsonl or \.parquet"):
        client.exports.trajectories(tmp_path / "a.csv", Which(run=[run_id]))


def test_selections_and_verdicts_come_too(client: Client, run_id: str, tmp_path: Path) -> None:
    rows = client.exports.selections(tmp_path / "rows.jsonl", [run_id], [1])
    assert [json.loads(line)["slot"] for line in rows.read_text().splitlines()] == [3, 7]
    path = tmp_path / "verdicts.parquet"
    client.exports.verdicts(path, [run_id], benchmark=[Benchmark.MASK], outcome=["lie"])
    assert pq.read_table(path)["item"].to_pylist() == ["2"]


def test_what_fails_before_the_first_row_is_told_as_ever(client: Client, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no run 'nosuch'"):
        client.exports.selections(tmp_path / "rows.jsonl", ["nosuch"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_file_that_breaks_half_way_is_not_taken_for_a_whole_one(
    client: Client, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    read = streams._trajectories

    def breaking(*which: object) -> object:
        if which[-1] is not None:
            raise LoopError("the disk is gone")
        return read(*which)

    monkeypatch.setattr(streams, "AT_ONCE", 50)
    monkeypatch.setattr("services.simulator.api.files.ROW_GROUP", 20)
    monkeypatch.setattr(streams, "_trajectories", breaking)
    with pytest.raises(ServiceUnreachable):
        client.exports.trajectories(tmp_path / name, Which(run=[run_id]))
    assert list(tmp_path.iterdir()) == []


def test_readers_who_stop_reading_hold_nothing(
    service: Service, client: Client, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "AT_ONCE", 10)
    headers = client._connection._http.headers
    with httpx2.Client(base_url=service.url, headers=headers) as http:
        waiting = [
            http.send(
                http.build_request("GET", "/v1/exports/trajectories", params={"run": run_id}), stream=True
            )
            for _ in range(12)  # more than the service has connections to the database
        ]
        assert [one.status_code for one in waiting] == [200] * 12
        assert client.runs.get(run_id).id == run_id
        pool = service.engine.pool
        assert isinstance(pool, QueuePool)
        while pool.checkedout():  # a page may be under way
            time.sleep(0.05)
