# pyright: basic
# torch is untyped in parts; this module is arithmetic on tensors.
"""The Llama forward pass in plain torch, on a dictionary of weights under transformers' names.

One set of formulas for both uses: `forward` reads whole padded rows (training, float32), `decode.py` reads packed
prompts and single steps (generation, float64). Architecture: RMSNorm, rotary positions, SwiGLU, tied embeddings,
as many key as query heads, no biases.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Shape:
    """The policy's dimensions, under the names of a Llama config."""

    vocab_size: int
    hidden_size: int = 128
    intermediate_size: int = 384
    num_hidden_layers: int = 4
    num_attention_heads: int = 2
    num_key_value_heads: int = 2
    head_dim: int = 64
    max_position_embeddings: int = 1024
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0

    def as_config(self, *, bos: int, eos: int, pad: int) -> dict[str, object]:
        """Return the config.json by which transformers and vLLM build the same model."""
        fixed = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu"}
        flags = {"attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True, "dtype": "float32"}
        return {
            **fixed,
            **asdict(self),
            **flags,
            "bos_token_id": bos,
            "eos_token_id": eos,
            "pad_token_id": pad,
        }

    @classmethod
    def read(cls, folder: Path) -> "Shape":
        """Read the dimensions from a folder's config.json."""
        config = json.loads((folder / "config.json").read_text())
        return cls(**{name: config[name] for name in cls.__dataclass_fields__})


def new_weights(shape: Shape, seed: int) -> Weights:
    """Return freshly drawn weights (normal, 0.02; outputs of blocks scaled down by depth)."""
    generator = torch.Generator().manual_seed(seed)
    hidden, inner, width = (
        shape.hidden_size,
        shape.intermediate_size,
        shape.num_attention_heads * shape.head_dim,
    )

    def drawn(rows: int, columns: int, scale: float = 0.02) -> Tensor:
        return torch.randn(rows, columns, generator=generator) * scale

    weights = {
        "model.embed_tokens.weight": drawn(shape.vocab_size, hidden),
        "model.norm.weight": torch.ones(hidden),
    }
    out_scale = 0.02 / (2 * shape.num_hidden_layers) ** 0.5
    for layer in range(shape.num_hidden_layers):
        at = f"model.layers.{layer}"
        weights |= {f"{at}.self_attn.{name}_proj.weight": drawn(width, hidden) for name in "qkv"}
        weights |= {
            f"{at}.self_attn.o_proj.weight": drawn(hidden, width, out_scale),
            f"{at}.mlp.gate_proj.weight": drawn(inner, hidden),
            f"{at}.mlp.up_proj.weight": drawn(inner, hidden),
            f"{at}.mlp.down_proj.weight": drawn(hidden, inner, out_scale),
            f"{at}.input_layernorm.weight": torch.ones(hidden),
            f"{at}.post_attention_layernorm.weight": torch.ones(hidden),
        }
    return weights


def norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Scale the last axis to unit mean square, then by `weight`."""
    return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps))


def rotary_table(shape: Shape, length: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return cosines and sines [length, head_dim] for positions 0 … length − 1."""
    exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim
    frequencies = 1.0 / (shape.rope_theta**exponents)
    angles = torch.arange(length, dtype=torch.float32)[:, None] * frequencies
    angles = torch.cat((angles, angles), -1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn queries or keys [..., head_dim] to their positions."""
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


def swiglu(x: Tensor, weights: Weights, at: str) -> Tensor:
    """Return the feed-forward block's output."""
    gate = functional.silu(functional.linear(x, weights[f"{at}.mlp.gate_proj.weight"]))
    up = functional.linear(x, weights[f"{at}.mlp.up_proj.weight"])
    return functional.linear(gate * up, weights[f"{at}.mlp.down_proj.weight"])


def forward(weights: Weights, shape: Shape, ids: Tensor) -> Tensor:
    """Return the last hidden states [batch, length, hidden] for right-padded rows of ids [batch, length]."""
    batch, length = ids.shape
    x = functional.embedding(ids, weights["model.embed_tokens.weight"])
    cos, sin = rotary_table(shape, length, x.dtype)
    for layer in range(shape.num_hidden_layers):
        at = f"model.layers.{layer}"
        h = norm(x, weights[f"{at}.input_layernorm.weight"], shape.rms_norm_eps)
        q, k, v = (
            functional.linear(h, weights[f"{at}.self_attn.{name}_proj.weight"])
            .view(batch, length, shape.num_attention_heads, shape.head_dim)
            .transpose(1, 2)
            for name in "qkv"
        )
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        mixed = mixed.transpose(1, 2).reshape(batch, length, -1)
        x = x + functional.linear(mixed, weights[f"{at}.self_attn.o_proj.weight"])
        h = norm(x, weights[f"{at}.post_attention_layernorm.weight"], shape.rms_norm_eps)
        x = x + swiglu(h, weights, at)
    return norm(x, weights["model.norm.weight"], shape.rms_norm_eps)
