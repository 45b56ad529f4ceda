# pyright: basic
# torch is untyped in parts; this module is arithmetic on tensors.
"""Generation: many prompts at once, each drawn as if it were alone.

Everything is float64. Floating-point sums depend a little on who else is in the batch; in float64 that is some
1e-15, so a draw by inverse CDF changes with a chance of that order, where in float32 it would change every few
thousand tokens. Each request has its own counter-based stream: the draw of token t depends on (seed, t) alone.
Prompts are packed (no padding in the linear layers), equal prompts are read once, finished rows leave the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from services.core.domain.seeds import uniform
from services.pocket.policy.llama import Shape, Weights, norm, rotary_table, rotate


@dataclass(frozen=True, slots=True)
class Draw:
    """One continuation to be drawn. Temperature 0 takes the likeliest token, the first of equals."""

    prompt: tuple[int, ...]
    temperature: float
    top_p: float
    max_tokens: int
    seed: int


@dataclass(slots=True)
class Drawn:
    """A continuation: its tokens without the end token, and whether it ended by itself."""

    tokens: list[int]
    logprobs: list[float]
    """Of every drawn token, the end token's included, at temperature 1."""
    has_ended: bool = False


class Decoder:
    """One policy's weights, made ready for generation."""

    def __init__(self, shape: Shape, weights: Weights, end: int):
        self._shape = shape
        self._end = end
        self._embedding = weights["model.embed_tokens.weight"]
        self._norm = weights["model.norm.weight"]
        self._layers = [_fused(weights, f"model.layers.{n}") for n in range(shape.num_hidden_layers)]
        self._cos, self._sin = rotary_table(shape, shape.max_position_embeddings, self._embedding.dtype)

    def draw(self, draws: Sequence[Draw]) -> list[Drawn]:
        """Continue every prompt; results stand in the order asked."""
        with torch.inference_mode():
            return self._draw(draws)

    def _draw(self, draws: Sequence[Draw]) -> list[Drawn]:
        results = [Drawn([], []) for _ in draws]
        prompts = sorted({draw.prompt for draw in draws}, key=len)
        row_of = {prompt: row for row, prompt in enumerate(prompts)}
        room = max(len(draw.prompt) + draw.max_tokens for draw in draws)
        logits, cache = self._read(prompts, room)
        alive = list(range(len(draws)))
        rows = torch.tensor([row_of[draw.prompt] for draw in draws])
        logits, cache = logits[rows], [(keys[rows], values[rows]) for keys, values in cache]
        lengths = torch.tensor([len(draw.prompt) for draw in draws])
        while True:
            tokens = _choose(logits, [draws[i] for i in alive], [results[i] for i in alive])
            going = self._record(tokens, alive, draws, results)
            if not going:
                return results
            if len(going) < len(alive):
                kept = torch.tensor(going)
                alive = [alive[n] for n in going]
                tokens, lengths = [tokens[n] for n in going], lengths[kept]
                cache = [(keys[kept], values[kept]) for keys, values in cache]
            logits = self._step(torch.tensor(tokens), lengths, cache)
            lengths = lengths + 1

    def _record(
        self, tokens: list[int], alive: list[int], draws: Sequence[Draw], results: list[Drawn]
    ) -> list[int]:
        going: list[int] = []
        for n, (token, index) in enumerate(zip(tokens, alive, strict=True)):
            result = results[index]
            result.has_ended = token == self._end
            if not result.has_ended:
                result.tokens.append(token)
                if len(result.tokens) < draws[index].max_tokens:
                    going.append(n)
        return going

    def _read(self, prompts: list[tuple[int, ...]], room: int) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Read whole prompts: logits after each [prompts, vocabulary], and keys and values for `room` positions."""
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        longest = int(lengths[-1])
        where = (torch.arange(longest) < lengths[:, None]).flatten().nonzero().squeeze(1)
        positions = where % longest
        cos, sin = self._cos[positions][:, None], self._sin[positions][:, None]
        heads, width = self._shape.num_attention_heads, self._shape.head_dim
        x = self._embedding[torch.tensor([token for prompt in prompts for token in prompt])]
        cache: list[tuple[Tensor, Tensor]] = []
        for layer in self._layers:
            packed = functional.linear(norm(x, layer.attention_norm, self._shape.rms_norm_eps), layer.qkv)
            q, k, v = packed.view(-1, 3, heads, width).unbind(1)
            padded = packed.new_zeros(3, len(prompts) * longest, heads, width)
            padded[:, where] = torch.stack((rotate(q, cos, sin), rotate(k, cos, sin), v))
            q, k, v = padded.view(3, len(prompts), longest, heads, width).transpose(2, 3).unbind(0)
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            mixed = mixed.transpose(1, 2).reshape(-1, heads * width)[where]
            x = self._after_attention(x, mixed, layer)
            kept = packed.new_zeros(2, len(prompts), heads, room, width)
            kept[0, :, :, :longest], kept[1, :, :, :longest] = k, v
            cache.append((kept[0], kept[1]))
        return self._logits(x[lengths.cumsum(0) - 1]), cache

    def _step(self, tokens: Tensor, lengths: Tensor, cache: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Read one more token of each row: logits [rows, vocabulary]. The cache grows in place."""
        heads, width = self._shape.num_attention_heads, self._shape.head_dim
        row, reach = torch.arange(len(tokens)), int(lengths.max()) + 1
        seen = (torch.arange(reach) <= lengths[:, None])[:, None, None]
        cos, sin = self._cos[lengths][:, None], self._sin[lengths][:, None]
        x = self._embedding[tokens]
        for layer, (keys, values) in zip(self._layers, cache, strict=True):
            packed = functional.linear(norm(x, layer.attention_norm, self._shape.rms_norm_eps), layer.qkv)
            q, k, v = packed.view(-1, 3, heads, width).unbind(1)
            keys[row, :, lengths], values[row, :, lengths] = rotate(k, cos, sin), v
            scores = rotate(q, cos, sin).unsqueeze(2) @ keys[:, :, :reach].transpose(2, 3) / width**0.5
            weights = scores.masked_fill(~seen, float("-inf")).softmax(-1)
            x = self._after_attention(x, (weights @ values[:, :, :reach]).flatten(1), layer)
        return self._logits(x)

    def _after_attention(self, x: Tensor, mixed: Tensor, layer: "_Layer") -> Tensor:
        x = x + functional.linear(mixed, layer.out)
        h = norm(x, layer.feed_norm, self._shape.rms_norm_eps)
        gate, up = functional.linear(h, layer.gate_up).chunk(2, -1)
        return x + functional.linear(functional.silu(gate) * up, layer.down)

    def _logits(self, x: Tensor) -> Tensor:
        return functional.linear(norm(x, self._norm, self._shape.rms_norm_eps), self._embedding)


@dataclass(frozen=True, slots=True)
class _Layer:
    attention_norm: Tensor
    qkv: Tensor
    out: Tensor
    feed_norm: Tensor
    gate_up: Tensor
    down: Tensor


def _fused(weights: Weights, at: str) -> _Layer:
    def joined(*names: str) -> Tensor:
        return torch.cat([weights[f"{at}.{name}_proj.weight"] for name in names])

    return _Layer(
        attention_norm=weights[f"{at}.input_layernorm.weight"],
        qkv=joined("self_attn.q", "self_attn.k", "self_attn.v"),
        out=joined("self_attn.o"),
        feed_norm=weights[f"{at}.post_attention_layernorm.weight"],
        gate_up=joined("mlp.gate", "mlp.up"),
        down=joined("mlp.down"),
    )


def _choose(logits: Tensor, draws: list[Draw], results: list[Drawn]) -> list[int]:
    """Choose each row's next token and note its log-probability."""
    logprobs = logits.log_softmax(-1)
    tokens = logits.argmax(-1)
    warm = [n for n, draw in enumerate(draws) if draw.temperature > 0]
    if warm:
        heat = torch.tensor([draws[n].temperature for n in warm], dtype=logits.dtype)
        nucleus = torch.tensor([draws[n].top_p for n in warm], dtype=logits.dtype)
        # max_tokens bounds a reply, so its length so far is the counter of its stream.
        chance = torch.tensor(
            [uniform("pocket-policy", draws[n].seed, len(results[n].tokens)) for n in warm],
            dtype=logits.dtype,
        )
        tokens[warm] = _inverse_cdf((logits[warm] / heat[:, None]).softmax(-1), nucleus, chance)
    for result, logprob in zip(results, logprobs.gather(1, tokens[:, None]).squeeze(1).tolist(), strict=True):
        result.logprobs.append(logprob)
    return tokens.tolist()


def _inverse_cdf(probabilities: Tensor, nucleus: Tensor, chance: Tensor) -> Tensor:
    """Draw from the smallest set of likeliest tokens that holds at least `nucleus` of the mass."""
    if bool((nucleus < 1).any()):
        ranked, order = probabilities.sort(dim=-1, descending=True, stable=True)
        is_outside = ranked.cumsum(-1) - ranked >= nucleus[:, None]
        is_outside[:, 0] = False
        probabilities = probabilities.scatter(1, order, ranked.masked_fill(is_outside, 0.0))
    summed = probabilities.cumsum(-1)
    return torch.searchsorted(summed, (chance * summed[:, -1])[:, None], right=True).squeeze(1)
