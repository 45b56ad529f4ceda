"""What a training is asked to do, and what came of it.

A `TrainingJob` is complete: with the files that it names, it decides every bit of the adapter (on a CPU of one type).
Its `fingerprint` is taken from contents, not from paths, so a data folder may move. It crosses process borders as
JSON. Which device trains is the machine's business: a GPU when there is one, else the CPU in float32.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from services.core.domain.errors import AdapterError
from services.core.domain.spec import TrainingSpec
from services.trainer.adapters import content_sha256


class Lineage(NamedTuple):
    """What a round's training builds on."""

    start: Path | None
    """The adapter trained on; None means the step-0 adapter."""
    reference: Path | None
    """KTO's frozen policy; None means the bare base."""


class TrainingJob(BaseModel):
    """One round's training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Path
    """Folder of the base model and its tokenizer, as Transformers loads them."""
    rows: Path
    """JSON lines from `core.datasets`: SFT or KTO rows, as `training.method` says."""
    rows_sha256: str
    start: Path | None
    """Adapter folder to train on; None means the step-0 adapter, made if missing."""
    reference: Path | None
    """Adapter folder of KTO's frozen policy; None means the bare base. SFT has none."""
    step0_folder: Path
    """Where step-0 adapters are kept, one per (architecture of the base, LoRA settings, seed)."""
    output: Path
    """The adapter folder to make. It appears complete or not at all."""
    training: TrainingSpec
    run_seed: int
    round: Annotated[int, Field(ge=1)]
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    """CPU threads: pinned, because sums of floats depend on it."""
    devices: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that train together, one a GPU (or, without one, on the CPU)."""
    device_batch: Annotated[int | None, Field(ge=1)] = None
    """Most examples at once on a device; None means as many as the batch size asks for."""

    def fingerprint(self) -> str:
        """Return the hex sha256 of all that decides the result. Raises AdapterError if an input is missing."""
        facts: dict[str, Any] = {
            "base": base_sha256(self.base),
            "rows": self.rows_sha256,
            "start": None if self.start is None else content_sha256(self.start),
            "reference": None if self.reference is None else content_sha256(self.reference),
            "training": self.training.model_dump(mode="json"),
            "seed": [self.run_seed, self.round],
            "threads": self.threads,
        }
        if (self.devices, self.device_batch) != (1, None):
            facts["devices"] = [self.devices, self.device_batch]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class TrainedAdapter(NamedTuple):
    """A finished adapter and how it came about."""

    path: Path
    sha256: str
    """Of the adapter's contents; paths and times do not enter."""
    steps: int
    """Optimiser steps."""
    train_loss: float
    """Mean over all steps."""
    threads: int
    wall_s: float
    """In the training child, from reading the base to the finished folder."""
    examples: int
    """Rows that trained."""
    examples_cut: int | None
    """Of them, those that lost their end to `training.max_length`; None if a version made the adapter that did not count them."""
    examples_dropped: int | None
    """Rows that did not train: their prompt alone fills `max_length`, or (KTO) the last one, alone in its batch. None as above."""


def lineage(training: TrainingSpec, previous: Path | None) -> Lineage:
    """Return what a round builds on, given the adapter of the round before (None in round 1)."""
    return Lineage(
        start=previous if training.start == "previous" else None,
        reference=previous if training.kto.reference == "previous" else None,
    )


def base_sha256(base: Path) -> str:
    """Return the hex sha256 of the base's config.json: what a LoRA adapter's shapes depend on.

    The weights are left out: hashing them would cost an 8B model seconds a round, and a base is named for ever.
    """
    try:
        return hashlib.sha256((base / "config.json").read_bytes()).hexdigest()
    except OSError as error:
        raise AdapterError(f"no base model at {base}: config.json can't be read ({error.strerror})") from None
