# pyright: basic
# (transformers carries no complete types)
"""What SFT and KTO share: the hyper-parameters as TRL's arguments, and the report of progress.

The paper gives learning rate, epochs, batch size, weight decay and LoRA shape (Tables 5 and 12). It leaves open, and
we take from Transformers' defaults: AdamW, a linearly falling learning rate without warm-up, gradient clipping at 1.
No checkpoints: a round is short, and a training that was killed is repeated, bit for bit.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerState, TrainingArguments

from services.core.domain.seeds import derive_seed
from services.trainer.batches import share
from services.trainer.job import TrainingJob
from services.trainer.policy import has_gpu

Report = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


_REPORT_S = 0.25
"""Least time between two reports: whoever listens may write each into a database."""


class Progress(TrainerCallback):
    """Tells how far the training is: before its first step, now and then, and after its last."""

    def __init__(self, report: Report):
        self._report = report
        self._told_s = 0.0

    def on_train_begin(self, _args: TrainingArguments, state: TrainerState, *_: object, **__: object) -> None:
        """Say how many steps there will be."""
        self._report(0, state.max_steps)

    def on_step_end(self, _args: TrainingArguments, state: TrainerState, *_: object, **__: object) -> None:
        """Count a step."""
        now_s = time.monotonic()
        if now_s - self._told_s >= _REPORT_S or state.global_step == state.max_steps:
            self._told_s = now_s
            self._report(state.global_step, state.max_steps)


def arguments(job: TrainingJob, scratch: Path) -> dict[str, Any]:
    """Return what SFTConfig and KTOConfig are both made of. `scratch` is a folder that TRL wants and leaves empty."""
    spec, on_gpu = job.training, has_gpu()
    least = 2 if spec.method == "kto" else 1
    each = share(spec.batch_size, job.devices, job.device_batch, least)
    return {
        "output_dir": str(scratch),
        "learning_rate": spec.learning_rate * spec.learning_rate_decay ** (job.round - 1),
        "num_train_epochs": spec.epochs,
        "per_device_train_batch_size": each.per_device,
        "gradient_accumulation_steps": each.accumulation,
        "weight_decay": spec.weight_decay,
        "max_length": spec.max_length,
        "seed": derive_seed(job.run_seed, job.round, "training") % 2**32,
        "use_cpu": not on_gpu,
        "bf16": on_gpu,
        "gradient_checkpointing": on_gpu,
        "gradient_checkpointing_kwargs": {"use_reentrant": False} if on_gpu else None,
        "ddp_find_unused_parameters": False if job.devices > 1 else None,
        "dataloader_pin_memory": on_gpu,
        "dataloader_num_workers": 0,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "logging_steps": 10,
    }
