# pyright: basic
# safetensors' torch functions are untyped in parts.
"""A policy as a folder: weights, config and tokenizer, as transformers and vLLM read them."""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from services.pocket.policy.llama import Shape, Weights
from services.pocket.policy.tokenizer import BOS, END, PAD, save_tokenizer, token_id

WEIGHTS_FOLDER = Path(__file__).parent.parent / "weights"
"""The committed policy."""


class Policy(NamedTuple):
    """Everything that answers."""

    shape: Shape
    weights: Weights
    tokenizer: Tokenizer


def save_policy(folder: Path, policy: Policy) -> None:
    """Write a policy's folder; weights in float32."""
    folder.mkdir(parents=True, exist_ok=True)
    single = {name: tensor.float().contiguous() for name, tensor in policy.weights.items()}
    save_file(single, folder / "model.safetensors", metadata={"format": "pt"})
    ids = {
        name: token_id(policy.tokenizer, token) for name, token in (("bos", BOS), ("eos", END), ("pad", PAD))
    }
    (folder / "config.json").write_text(json.dumps(policy.shape.as_config(**ids), indent=1) + "\n")
    chat = {"bos_token_id": ids["bos"], "eos_token_id": ids["eos"], "pad_token_id": ids["pad"]}
    (folder / "generation_config.json").write_text(json.dumps(chat, indent=1) + "\n")
    save_tokenizer(policy.tokenizer, folder)


def read_policy(folder: Path, dtype: torch.dtype = torch.float64) -> Policy:
    """Read a policy's folder, its weights in `dtype`."""
    weights = {name: tensor.to(dtype) for name, tensor in load_file(folder / "model.safetensors").items()}
    return Policy(Shape.read(folder), weights, Tokenizer.from_file(str(folder / "tokenizer.json")))
