"""One tiny base model and one nursery for all training tests."""

import hashlib
import json
from pathlib import Path

import pytest

from services.core.domain.spec import TrainingSpec
from services.trainer.job import TrainingJob
from services.trainer.nursery import Nursery, train
from tests.trainer.tiny import make_base


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def nursery():
    with Nursery() as running:
        yield running


def row(prompt: str, reply: str, slot: int = 0, **label: bool):
    return {
        "prompt": [{"role": "user", "content": prompt}],
        "completion": [{"role": "assistant", "content": reply}],
        "slot": slot,
        "turn": 0,
        **label,
    }


SFT_ROWS = [row("hello doctor", "yes drink again", slot) for slot in range(12)]
KTO_ROWS = [
    row("hello doctor", "yes drink again", slot, label=True)
    if slot % 2
    else row("hello doctor", "no stop today", slot, label=False)
    for slot in range(12)
]


@pytest.fixture
def job(base, tmp_path):
    """Make jobs that differ from a small default in what a test names."""

    def make(rows=None, *, name="adapter", method="sft", epochs=2, folder=None, **fields) -> TrainingJob:
        place: Path = folder or tmp_path
        rows = (KTO_ROWS if method == "kto" else SFT_ROWS) if rows is None else rows
        payload = "".join(json.dumps(each) + "\n" for each in rows).encode()
        path = place / f"{name}.jsonl"
        path.write_bytes(payload)
        spec = {"learning_rate": 0.01, "batch_size": 4, "lora": {"rank": 4, "alpha": 8}}
        spec |= fields.pop("training", {})
        defaults = {
            "base": base,
            "rows": path,
            "rows_sha256": hashlib.sha256(payload).hexdigest(),
            "start": None,
            "reference": None,
            "step0_folder": place / "step0",
            "output": place / name,
            "training": TrainingSpec(method=method, epochs=epochs, **spec),
            "run_seed": 1,
            "round": 1,
        }
        return TrainingJob(**defaults | fields)

    return make


@pytest.fixture
def trained(nursery):
    """Train a job in a child of the nursery."""
    return lambda job: train(nursery.socket_path, job, job.output.with_suffix(".log"), lambda *_: None)
