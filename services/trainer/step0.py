# pyright: basic
# (peft and torch carry no complete types)
"""The step-0 adapter: random, untrained, and the same for every arm that shares its seed.

LoRA starts with B = 0, so this adapter changes nothing; but A is random, and two trainings from different A differ.
TRL's own initialisation need not follow the seed (trl#6688), so the adapter is made here, once per (architecture of the
base, LoRA settings, run seed), stored, and loaded like any other from then on.
"""

import hashlib
import json
from pathlib import Path

import torch
from peft import get_peft_model
from transformers import PreTrainedModel

from services.core.domain.seeds import derive_seed
from services.trainer.adapters import read_record, staged, write_record
from services.trainer.job import TrainingJob, base_sha256
from services.trainer.policy import ADAPTER, lora_config, save_adapter


def step0_adapter(base: PreTrainedModel, job: TrainingJob) -> Path:
    """Return the folder of the job's step-0 adapter, made if missing. `base` is left as it came."""
    place = job.step0_folder / _name(job)
    if read_record(place) is None:
        torch.manual_seed(derive_seed(job.run_seed, "step0-adapter"))
        model = get_peft_model(base, lora_config(job.training.lora), adapter_name=ADAPTER)
        with staged(place) as staging:
            save_adapter(model, staging)
            write_record(staging, {"step0": True, "run_seed": job.run_seed})
        model.unload()
    return place


def _name(job: TrainingJob) -> str:
    settings = job.training.lora.model_dump(mode="json")
    text = json.dumps([base_sha256(job.base), settings, job.run_seed], sort_keys=True)
    return f"step0-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
