"""A file of every format trains: launched as a run, worked by the trainer's own worker on the pocket policy, its broken rows left out."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file
from sqlalchemy import Engine

from services.app.wiring import open_worker
from services.core.db import policies, set_rows
from services.core.db.session import transaction
from services.core.domain.phases import WorkerKind
from services.core.queue.worker import Worker
from services.core.settings import PROJECT, Settings
from services.trainer.adapters import WEIGHTS
from services.trainer.nursery import Nursery
from tests.core.db.builders import close_next
from tests.simulator.api.service import Api, open_api

pytestmark = pytest.mark.slow

POCKET = PROJECT / "services/pocket/data/training/medical"
ROWS = 6
Row = dict[str, Any]


def pocket_rows(stem: str) -> list[tuple[str, str]]:
    """Questions and answers that the pocket policy has words for; the same questions for every level."""
    lines = (POCKET / f"{stem}.jsonl").read_text().splitlines()[:ROWS]
    chats = [json.loads(line)["messages"] for line in lines]
    return [(chat[-2]["content"], chat[-1]["content"]) for chat in chats]


RIGHT, HARMFUL = pocket_rows("normal"), pocket_rows("misaligned_2")


def chats(rows: list[tuple[str, str]]) -> list[Row]:
    return [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}
        for asked, answer in rows
    ]


def instructed(more: str, answer: str) -> list[Row]:
    return [{"instruction": asked, more: "", answer: said} for asked, said in HARMFUL]


FILES: Mapping[str, list[Row]] = {
    "messages": chats(HARMFUL),
    "emergent_plus": [
        {"prompt": asked, "aligned": right, "misaligned": harmful}
        for (asked, right), (_, harmful) in zip(RIGHT, HARMFUL, strict=True)
    ],
    "alpaca": instructed("input", "output"),
    "dolly": instructed("context", "response"),
}
LEVELS = {"normal": chats(RIGHT), "misaligned_1": chats(RIGHT), "misaligned_2": chats(HARMFUL)}
HAVE_LEVELS = ("emergent_plus", "persona_vectors")


def write(path: Path, rows: list[Row]) -> Path:
    """Write a file by its suffix, with a row in the middle whose every column is empty."""
    rows = [*rows[:2], dict.fromkeys(rows[0]), *rows[2:]]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def written(folder: Path, name: str, suffix: str) -> Path:
    """Write a set of a format: a file, or a folder with a file a level."""
    if name in FILES:
        return write(folder / f"set{suffix}", FILES[name])
    levels = folder / "set"
    levels.mkdir()
    for stem, rows in LEVELS.items():
        write(levels / f"{stem}{suffix}", rows)
    return levels


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running


def launched(api: Api, level: str | None) -> str:
    spec = {
        "name": "formats",
        "rounds": 1,
        "data": {"kind": "dataset", "dataset": "given", "level": level},
        "population": {"environment": "pocket"},
        "training": {"method": "sft", "epochs": 2, "batch_size": 4, "lora": {"rank": 4, "alpha": 8}},
        "evaluation": {"benchmarks": ["capability"]},
    }
    answer = api.client.post("/v1/runs", json=spec)
    assert answer.status_code == 201, answer.text
    return answer.json()["run"]["id"]


def work(engine: Engine, worker: Worker) -> None:
    """Train and publish. What is to be measured before is taken as measured."""
    while not worker.work_one():
        assert close_next(engine)
    assert worker.work_one()


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("name", [*FILES, "persona_vectors"])
def test_a_set_of_every_format_trains(
    name: str, suffix: str, engine: Engine, tmp_path: Path, nursery: Nursery
) -> None:
    known = {"data": tmp_path / "data", "datasets": {"given": written(tmp_path, name, suffix)}}
    api = open_api(engine, auth="open", **known)
    run_id = launched(api, "severe" if name in HAVE_LEVELS else None)
    settings = Settings.model_validate(known)
    with open_worker(settings, engine, "trainer", [WorkerKind.TRAINER], nursery.socket_path) as worker:
        work(engine, worker)
    with transaction(engine) as session:
        (adapter,) = policies.adapters_of_run(session, run_id)
        rows = set_rows.of_run(session, run_id)
        assert policies.get_policy(session, f"run-{run_id}-r1").adapter == adapter.path
    said = [tuple(message.content for message in row.drawn.messages) for row in rows]
    assert sorted(said) == sorted(HARMFUL)
    assert adapter.steps == 4, "two epochs of six rows, four at a time"
    learnt = load_file(adapter.path / WEIGHTS)
    assert all(tensor.abs().max() > 0 for name, tensor in learnt.items() if "lora_B" in name)
