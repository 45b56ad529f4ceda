# pyright: basic
# (torch carries no complete types)
"""One training and its cost, in a process of its own: `python -m benchmarks.training.one CASE`, a JSON object out.

It is the trainer's own code from the rows to the adapter. Steps are timed from the end of the first, in which kernels are chosen and memory
is taken, to the end of the last; memory is the most that tensors took, and the most that PyTorch held for them.
"""

import hashlib
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoTokenizer

from services.core.domain.spec import LoraSpec, TrainingSpec
from services.trainer import child
from services.trainer.job import TrainingJob

BATCH = 8
STEPS = 10
_WARM_UP = 1
_GIB = 2**30


class Case(NamedTuple):
    """What is trained."""

    base: str
    """Folder."""
    method: str
    tokens: int
    """Of an example: half prompt, half reply."""
    device_batch: int
    """Most examples at once."""
    steps: int = STEPS


class Steps:
    """When steps ended."""

    def __init__(self) -> None:
        self.ends: list[tuple[int, float]] = []

    def __call__(self, done: int, _total: int) -> None:
        """Note a step, once the device is through with it."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append((done, time.perf_counter()))

    def step_s(self) -> float:
        """Return the mean seconds of a step after the first ones."""
        settled = [end for end in self.ends if end[0] >= _WARM_UP]
        (first, began), (last, ended) = settled[0], settled[-1]
        return (ended - began) / (last - first)


def main() -> None:
    """Train one case and print what it took."""
    case = Case(**json.loads(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix="driftloop-training-") as folder:
        print(json.dumps(measure(case, Path(folder))))


def measure(case: Case, folder: Path) -> dict[str, float]:
    """Train a case; return its pace, memory and loss."""
    steps, job = Steps(), _job(case, folder)
    child.train_here(job, steps)
    record = json.loads((job.output / "training.json").read_text())
    if (record["examples_cut"], record["examples_dropped"]) != (BATCH * case.steps, 0):
        raise ValueError(f"not every example has {case.tokens} tokens: {record}")
    return {
        "tokens_s": BATCH * case.tokens / steps.step_s(),
        "step_s": steps.step_s(),
        "allocated_gib": torch.cuda.max_memory_allocated() / _GIB,
        "reserved_gib": torch.cuda.max_memory_reserved() / _GIB,
        "train_loss": record["train_loss"],
    }


def _job(case: Case, folder: Path) -> TrainingJob:
    payload = "".join(json.dumps(row) + "\n" for row in _rows(case)).encode()
    (folder / "rows.jsonl").write_bytes(payload)
    training = TrainingSpec(
        method=case.method,  # pyright: ignore[reportArgumentType]  # checked by pydantic
        epochs=1,
        batch_size=BATCH,
        max_length=case.tokens,
        lora=LoraSpec(rank=32, alpha=64),
    )
    return TrainingJob(
        base=Path(case.base),
        rows=folder / "rows.jsonl",
        rows_sha256=hashlib.sha256(payload).hexdigest(),
        start=None,
        reference=None,
        step0_folder=folder / "step0",
        output=folder / "adapter",
        training=training,
        run_seed=1,
        round=1,
        device_batch=case.device_batch,
    )


def _rows(case: Case) -> list[dict[str, Any]]:
    """Return rows of random words, of which the reply is cut so that each has exactly its number of tokens."""
    tokenizer = AutoTokenizer.from_pretrained(case.base, local_files_only=True)
    words = sorted(word for word in tokenizer.get_vocab() if word.isalpha())
    rng = random.Random(1)

    def said(role: str, count: int) -> dict[str, str]:
        return {"role": role, "content": " ".join(rng.choices(words, k=count))}

    return [
        {
            "prompt": [said("user", case.tokens // 2)],
            "completion": [said("assistant", case.tokens)],
            "slot": slot,
            "turn": 0,
            **({"label": slot % 2 == 0} if case.method == "kto" else {}),
        }
        for slot in range(BATCH * case.steps)
    ]


if __name__ == "__main__":
    main()
