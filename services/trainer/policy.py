# pyright: basic
# (torch, transformers and peft carry no complete types)
"""A trainable policy: the base model with one adapter, loaded and saved.

On a GPU the base is held in bfloat16 and the adapter in float32; on a CPU all is float32. Nothing is fetched: a base
is a folder.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from services.core.domain.spec import LoraSpec
from services.trainer.adapters import CONFIG, WEIGHTS, canonical_config

ADAPTER = "default"
"""The name that TRL expects the trained adapter to have."""


class Base(NamedTuple):
    """What every training starts from."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def settle_machine(threads: int, devices: int) -> None:
    """Pin the CPU threads and, for a training on one device, show torch one GPU at most, before it looks for any."""
    torch.set_num_threads(threads)
    if devices == 1:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[0]


def has_gpu() -> bool:
    """Whether training runs on a GPU of this machine."""
    return torch.cuda.is_available()


def load_base(folder: Path) -> Base:
    """Read model and tokenizer from a folder."""
    dtype = torch.bfloat16 if has_gpu() else torch.float32
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
    return Base(model, AutoTokenizer.from_pretrained(folder, local_files_only=True))


def with_adapter(base: PreTrainedModel, adapter: Path) -> PeftModel:
    """Return the base with this adapter, ready to be trained. The base object is changed in place."""
    return PeftModel.from_pretrained(base, str(adapter), adapter_name=ADAPTER, is_trainable=True)


def lora_config(lora: LoraSpec) -> LoraConfig:
    """Return PEFT's configuration of a spec's LoRA settings (paper Table 5 names the seven modules)."""
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.target_modules),
        bias="none",
    )


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write weights and configuration as PEFT and vLLM read them, without PEFT's model card."""
    state = get_peft_model_state_dict(model, adapter_name=ADAPTER, save_embedding_layers=False)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_bytes(canonical_config(_config_dict(model)))


def _config_dict(model: PeftModel) -> dict[str, Any]:
    config = model.peft_config[ADAPTER].to_dict()
    config["inference_mode"] = True
    return {
        name: sorted(value) if isinstance(value, set) else getattr(value, "value", value)
        for name, value in config.items()
    }
