# pyright: basic
# (trl and datasets carry no complete types)
"""KTO through TRL: desirable replies become likelier than under a frozen policy, undesirable ones less likely.

Source: paper Algorithm 2 and arXiv 2402.01306. The frozen policy is another adapter on the same base (TRL's adapter
`ref`), or the bare base. TRL estimates its KL term by pairing each prompt of a batch with its neighbour's reply, so
rows are trained in the order that `core.datasets` gave them, and a last batch of one row, which would be paired with
itself, is left out.
"""

from pathlib import Path

import torch
from datasets import Dataset
from peft import PeftModel, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file
from transformers import TrainerCallback
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer

from services.core.domain.errors import TrainingError
from services.trainer.adapters import WEIGHTS
from services.trainer.job import TrainingJob
from services.trainer.policy import Base
from services.trainer.recipe import arguments
from services.trainer.rows import Row

REFERENCE = "ref"
"""TRL's name for the adapter of the frozen policy."""


class _TokenisedKto(KTOTrainer):
    """TRL's KTO on rows that are tokens already: its own preparation costs five passes over the data."""

    def _prepare_dataset(self, dataset: Dataset, *_: object) -> Dataset:
        return dataset


def kto_trainer(
    job: TrainingJob, base: Base, model: PeftModel, rows: list[Row], scratch: Path, progress: TrainerCallback
) -> KTOTrainer:
    """Return a trainer ready to run."""
    spec = job.training
    trainer = _TokenisedKto(
        model=model,
        args=KTOConfig(
            **arguments(job, scratch),
            beta=spec.kto.beta,
            desirable_weight=spec.kto.desirable_weight,
            undesirable_weight=spec.kto.undesirable_weight,
            disable_dropout=False,  # the spec says how much
        ),
        train_dataset=_dataset(rows, spec.batch_size),
        processing_class=base.tokenizer,
        callbacks=[progress],
    )
    _freeze_reference(model, job)
    return trainer


def _freeze_reference(model: PeftModel, job: TrainingJob) -> None:
    """Make TRL's `ref` adapter, made as a copy of the start, the job's reference; only the policy's own adapter has dropout."""
    for layer in (module for module in model.modules() if isinstance(module, LoraLayer)):
        layer.lora_dropout[REFERENCE] = torch.nn.Identity()
    if job.reference is None:
        model.delete_adapter(REFERENCE)  # TRL then takes the base, all adapters off
    elif job.reference != job.start:
        set_peft_model_state_dict(model, load_file(job.reference / WEIGHTS), adapter_name=REFERENCE)


def with_neighbours(rows: list[Row], batch_size: int) -> list[Row]:
    """Return the rows without a last one that would be alone in its batch. Raises `TrainingError` if a label is missing."""
    kept = rows[:-1] if len(rows) % batch_size == 1 else rows
    if len({row.label for row in kept}) < 2:
        raise TrainingError("KTO needs desirable and undesirable examples; select more conversations")
    return kept


def _dataset(rows: list[Row], batch_size: int) -> Dataset:
    replies = [row.tokens.completion for row in rows]
    mismatched: list[list[int]] = []
    for first in range(0, len(rows), batch_size):
        batch = replies[first : first + batch_size]
        mismatched += [batch[-1], *batch[:-1]]
    return Dataset.from_dict(
        {
            "prompt_ids": [row.tokens.prompt for row in rows],
            "completion_ids": replies,
            "KL_completion_ids": mismatched,
            "label": [row.label for row in rows],
        }
    )
