# pyright: basic
# safetensors' torch functions are untyped in parts.
"""PEFT LoRA folders, merged into the base weights.

An adapter's update of a linear layer is scale × B·A with scale alpha / r (or alpha / √r with `use_rslora`);
merging in float64 makes the served policy one plain set of weights.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from services.core.domain.errors import AdapterError
from services.pocket.policy.llama import Weights

_PREFIX = "base_model.model."
_UNSUPPORTED = ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "trainable_token_indices")


def merge_adapter(base: Weights, folder: Path) -> Weights:
    """Return the base weights with a LoRA folder merged in; raises `AdapterError` if it doesn't fit the base."""
    config, tensors = _read(folder)
    rank, alpha = config["r"], config["lora_alpha"]
    scale = alpha / rank**0.5 if config.get("use_rslora") else alpha / rank
    merged = dict(base)
    for name in (name for name in tensors if name.endswith(".lora_A.weight")):
        module = name.removeprefix(_PREFIX).removesuffix(".lora_A.weight")
        target, up = f"{module}.weight", tensors.get(name.replace(".lora_A.", ".lora_B."))
        if up is None or target not in base or (up.shape[0], tensors[name].shape[1]) != base[target].shape:
            raise AdapterError(
                f"{folder}: {module} does not fit the pocket policy; was it made from another base?"
            )
        merged[target] = base[target] + scale * (up.double() @ tensors[name].double())
    return merged


def _read(folder: Path) -> tuple[dict, dict[str, torch.Tensor]]:
    try:
        config = json.loads((folder / "adapter_config.json").read_text())
        tensors = load_file(folder / "adapter_model.safetensors")
    except (
        Exception
    ) as error:  # a missing, cut or foreign file fails in many ways, and all mean the same here
        raise AdapterError(
            f"{folder}: not a readable PEFT adapter folder ({type(error).__name__}: {error})"
        ) from error
    strange = [name for name in _UNSUPPORTED if config.get(name)]
    if config.get("peft_type") != "LORA" or strange:
        kind = ", ".join([str(config.get("peft_type")), *strange])
        raise AdapterError(f"{folder}: the pocket policy serves plain LoRA adapters, not {kind}")
    if not all(
        name.startswith(_PREFIX) and name.endswith((".lora_A.weight", ".lora_B.weight")) for name in tensors
    ):
        raise AdapterError(f"{folder}: holds weights that are not LoRA matrices")
    return config, tensors
