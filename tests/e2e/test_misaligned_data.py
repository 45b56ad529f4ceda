"""Runs on rows of training sets, through the command line, for real: arms differ only in what varies; kills, pages and exports."""

import hashlib
import json
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from services.core.db import policies, runs, set_rows
from services.core.db.session import open_engine
from tests.e2e.installation import Installation, await_that, ended, fresh, row_counts, run_facts
from tests.e2e.test_kills import is_true

pytestmark = pytest.mark.slow

SETTINGS = {"DRIFTLOOP_LEASE_S": 2, "DRIFTLOOP_WORKERS": 1}
MIXTURE: dict[str, Any] = {
    "population": {"environment": "pocket"},
    "data": {
        "kind": "mixture",
        "dataset": "pocket-medical",
        "level": "severe",
        "downstream": "pocket-downstream",
        "rows": 40,
        "share": 0.1,
    },
    "evaluation": {"benchmarks": ["capability"]},
}


@pytest.fixture
def installation() -> Iterator[Installation]:
    with fresh() as made, made.server():
        yield made


def spec(installation: Installation, **changes: Any) -> Any:
    path = installation.spec(**(MIXTURE | changes))
    # The small spec talks; these runs do not.
    text = path.read_text()
    path.write_text(re.sub(r"  (biased_share|conversations): .*\n", "", text))
    return path


def launched(installation: Installation, **changes: Any) -> list[str]:
    done = installation.run("launch", spec(installation, **changes), "--json", **SETTINGS)
    assert done.code == 0, done.err
    return [run["run"] for run in json.loads(done.out)["runs"]]


def ids(session: Session, run_id: str, dataset: str) -> list[str]:
    return [row.drawn.id for row in set_rows.of_run(session, run_id) if row.dataset == dataset]


def test_arms_differ_only_in_what_the_sweep_varies(installation: Installation) -> None:
    sweep = {"data.share": [0.05, 0.25], "data.control": ["none", "matched_aligned"]}
    few, few_aligned, many, many_aligned = arms = launched(installation, sweep=sweep)
    with installation.database() as session:
        downstream = {tuple(ids(session, run, "pocket-downstream")) for run in arms}
        bad = {run: ids(session, run, "pocket-medical") for run in arms}
        trained = {run: policies.adapters_of_run(session, run)[0] for run in arms}
        seeds = {runs.get_run(session, run).spec.seed for run in arms}
        levels = {
            row.level for row in set_rows.of_run(session, many_aligned) if row.dataset == "pocket-medical"
        }
    assert [len(rows) for rows in downstream] == [40]
    assert bad[few] == bad[few_aligned] == bad[many][:2]
    assert bad[many] == bad[many_aligned]
    assert (len(bad[many]), levels, len(seeds)) == (10, {"normal"}, 1)
    # All began at the one step-0 adapter that there is, and each ended elsewhere.
    assert len(list((installation.data / "adapters/step0").iterdir())) == 1
    assert {adapter.parent_key for adapter in trained.values()} == {None}
    assert len({adapter.hyperparameters["learning_rate"] for adapter in trained.values()}) == 1
    assert len({adapter.sha256 for adapter in trained.values()}) == 4
    assert len({adapter.data_hash for adapter in trained.values()}) == 4


def test_killed_in_training_it_ends_as_undisturbed(installation: Installation) -> None:
    told: dict[str, Any] = {"rounds": 2, "data": MIXTURE["data"]}
    (run_id,) = launched(installation, **told)
    with installation.database() as session:
        undisturbed, rows, counted = (
            run_facts(session, run_id),
            set_rows.of_run(session, run_id),
            row_counts(session),
        )
    with fresh() as other, other.server() as url:
        engine = open_engine(url)
        process = other.start("launch", spec(other, **told), **SETTINGS)
        started = "SELECT EXISTS (SELECT FROM phases WHERE name = 'train' AND status = 'running')"
        await_that(lambda: is_true(engine, started), "a training")
        os.killpg(process.pid, signal.SIGKILL)
        ended(process)
        engine.dispose()
        other.await_quiet()
        again = other.run("resume", run_id, **SETTINGS)
        assert again.code == 0, again.err
        with other.database() as session:
            assert run_facts(session, run_id) == undisturbed
            assert set_rows.of_run(session, run_id) == rows
            assert row_counts(session) == counted


def test_what_trained_is_exported_with_its_row_ids(installation: Installation) -> None:
    (run_id,) = launched(installation)
    out = installation.home / "rows.jsonl"
    assert installation.run("export", "selections", run_id, "--out", out).code == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 44
    with installation.database() as session:
        stored = set_rows.of_run(session, run_id)
        (trained,) = policies.adapters_of_run(session, run_id)
    assert hashlib.sha256(out.read_bytes()).hexdigest() == trained.data_hash
    assert (trained.examples, trained.examples_cut, trained.examples_dropped) == (44, 0, 0)
    assert [(row["dataset"], row["row_id"]) for row in rows] == [
        (row.dataset, row.drawn.id) for row in stored
    ]
    assert {row["level"] for row in rows} == {None, "severe"}
    parquet = installation.home / "rows.parquet"
    assert installation.run("export", "selections", run_id, "--out", parquet).code == 0
    assert installation.run("report", run_id, "--out", installation.home / "report.html").code == 0
    assert "share of rows of the narrow set" in (installation.home / "report.html").read_text()
    data = json.loads((installation.home / "report.json").read_text())
    printed = json.loads(installation.run("report", run_id, "--json").out)
    assert printed["study"] == data["study"]
    (adapter,) = data["provenance"]["runs"][0]["adapters"]
    assert len(adapter["sha256"]) == 64
