# pyright: basic
# (torch and transformers carry no complete types)
"""Bases to train on where no weights can be had: Llamas of the published shapes, randomly initialised.

What a step costs depends on shapes, not on what the weights know. The tokenizer is the pocket policy's: its few hundred words are rows of
an embedding that has the published number of them.
"""

import shutil
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

POCKET = Path(__file__).parents[2] / "services/pocket/weights"
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
_LLAMA_3 = {
    "vocab_size": 128_256,
    "num_key_value_heads": 8,
    "num_attention_heads": 32,
    "rope_theta": 500_000.0,
}
SHAPES = {
    "llama-1b": {
        **_LLAMA_3,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "tie_word_embeddings": True,
    },
    "llama-8b": {
        **_LLAMA_3,
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "tie_word_embeddings": False,
    },
    "tiny": {
        "vocab_size": 512,
        "num_key_value_heads": 2,
        "num_attention_heads": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "tie_word_embeddings": True,
    },
}
"""Of Llama-3.2-1B and Llama-3.1-8B, by their published configurations; `tiny` is there to try the benchmark itself."""


def make_base(shape: str, folder: Path) -> None:
    """Write a base of this shape, in bfloat16."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = LlamaConfig(
        **SHAPES[shape], max_position_embeddings=8192, pad_token_id=0, bos_token_id=2, eos_token_id=3
    )
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    del model
    # Nothing of it may stay on the device: what trains is another process, and is to have all the memory.
    torch.cuda.empty_cache()
    for name in _TOKENIZER:
        shutil.copy(POCKET / name, folder)
