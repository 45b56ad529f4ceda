# pyright: basic
# (trl and datasets carry no complete types)
"""SFT through TRL: the policy imitates the selected replies (paper Algorithm 1).

The loss is on completions only, their end-of-turn token included. Rows come tokenised, so TRL prepares nothing.
"""

from pathlib import Path

from datasets import Dataset
from peft import PeftModel
from transformers import TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from services.trainer.job import TrainingJob
from services.trainer.policy import Base
from services.trainer.recipe import arguments
from services.trainer.rows import Row


def sft_trainer(
    job: TrainingJob, base: Base, model: PeftModel, rows: list[Row], scratch: Path, progress: TrainerCallback
) -> SFTTrainer:
    """Return a trainer ready to run."""
    data = Dataset.from_dict(
        {
            "input_ids": [row.tokens.prompt + row.tokens.completion for row in rows],
            "labels": [[-100] * len(row.tokens.prompt) + row.tokens.completion for row in rows],
        }
    )
    return SFTTrainer(
        model=model,
        args=SFTConfig(**arguments(job, scratch), dataset_kwargs={"skip_prepare_dataset": True}),
        train_dataset=data,
        processing_class=base.tokenizer,
        callbacks=[progress],
    )
