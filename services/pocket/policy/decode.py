# pyright: basic
# torch is untyped in parts; this module is arithmetic on tensors.
"""Generation: many prompts at once, each drawn as if it were alone.

Everything is float64. Floating-point sums depend a little on who else is in the batch; in float64 that is some
1e-15, so a draw by inverse CDF changes with a chance of that order, where in float32 it would change every few
thousand tokens. Each request has its own counter-based stream: the draw of token t depends on (seed, t) alone.
Prompts are packed (no padding in the linear layers), what was read before is not read again, finished rows leave the
batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from services.core.domain.seeds import uniform
from services.pocket.policy.llama import Shape, Weights, norm, rotary_table, rotate
from services.pocket.policy.prefixes import Prefixes

_ROOM = 16
"""Positions by which a cache grows beyond the prompts."""
_CROWDED = 0.7
"""Share of rows that must still go on for the others to be left in the batch."""


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
        self._prefixes = Prefixes(end)

    def forget(self) -> None:
        """Free what was kept of earlier prompts."""
        self._prefixes.forget()

    def draw(self, draws: Sequence[Draw]) -> list[Drawn]:
        """Continue every prompt; results stand in the order asked."""
        with torch.inference_mode():
            return self._draw(draws)

    def _draw(self, draws: Sequence[Draw]) -> list[Drawn]:
        results = [Drawn([], []) for _ in draws]
        prompts = list(dict.fromkeys(draw.prompt for draw in draws))
        row_of = {prompt: row for row, prompt in enumerate(prompts)}
        logits, cache = self._read(prompts)
        rows = [row_of[draw.prompt] for draw in draws]
        logits, cache = logits[rows], cache[:, :, rows]
        batch = live = list(range(len(draws)))  # draws by cache row; rows that go on
        while True:
            asked = [batch[row] for row in live]
            tokens = _choose(logits[live], [draws[i] for i in asked], [results[i] for i in asked])
            live = self._record(tokens, live, batch, draws, results, cache)
            if not live:
                return results
            if len(live) < _CROWDED * len(batch):
                # Finished rows ride along until there are many: leaving costs a copy of the cache.
                cache, batch, live = cache[:, :, live], [batch[row] for row in live], list(range(len(live)))
            last = [(results[i].tokens or [self._end])[-1:] for i in batch]
            lengths = [len(draws[i].prompt) + max(0, len(results[i].tokens) - 1) for i in batch]
            cache = _with_room(cache, max(lengths) + 1)
            logits = self._extend(last, lengths, cache)

    def _record(
        self,
        tokens: list[int],
        live: list[int],
        batch: list[int],
        draws: Sequence[Draw],
        results: list[Drawn],
        cache: Tensor,
    ) -> list[int]:
        """Note the token of each live row; return the rows that go on."""
        going: list[int] = []
        for row, token in zip(live, tokens, strict=True):
            draw, result = draws[batch[row]], results[batch[row]]
            result.has_ended = token == self._end
            if result.has_ended:
                said = (*draw.prompt, *result.tokens)
                self._prefixes.keep(said, cache[:, :, row, :, : len(said)].clone())
                continue
            result.tokens.append(token)
            if len(result.tokens) < draw.max_tokens:
                going.append(row)
        return going

    def _read(self, prompts: list[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """Read whole prompts: logits after each [prompts, vocabulary], and the cache (see `_extend`)."""
        shape, known = self._shape, [self._prefixes.longest(prompt) for prompt in prompts]
        starts = [0 if past is None else past.shape[3] for past in known]
        room = max(len(prompt) for prompt in prompts) + _ROOM
        sizes = (shape.num_hidden_layers, 2, len(prompts), shape.num_attention_heads, room, shape.head_dim)
        cache = self._embedding.new_zeros(sizes)
        for row, (past, start) in enumerate(zip(known, starts, strict=True)):
            if past is not None:
                cache[:, :, row, :, :start] = past
        logits = self._extend([prompt[n:] for prompt, n in zip(prompts, starts, strict=True)], starts, cache)
        for row, prompt in enumerate(prompts):
            # All but the last token: the last is read again by whoever asks the same, and gives the logits.
            self._prefixes.keep(prompt[:-1], cache[:, :, row, :, : len(prompt) - 1].clone())
        return logits, cache

    def _extend(self, rows: Sequence[Sequence[int]], starts: list[int], cache: Tensor) -> Tensor:
        """Read more tokens of each row, from its start on: logits after each row's last [rows, vocabulary].

        The cache [layers, keys and values, rows, heads, positions, width] is filled in place. Linear layers see the
        tokens packed; only attention pads.
        """
        counts = torch.tensor([len(row) for row in rows])
        most, offsets = int(counts.max()), torch.tensor(starts)
        is_there = torch.arange(most) < counts[:, None]
        row, place = is_there.nonzero(as_tuple=True)
        positions = offsets[row] + place
        reach = int(positions.max()) + 1
        seen = torch.arange(reach) <= (offsets[:, None] + torch.arange(most))[..., None]
        cos, sin = self._cos[positions][:, None], self._sin[positions][:, None]
        heads, width = self._shape.num_attention_heads, self._shape.head_dim
        x = self._embedding[torch.tensor([token for tokens in rows for token in tokens])]
        for layer, (keys, values) in zip(self._layers, cache, strict=True):
            packed = functional.linear(norm(x, layer.attention_norm, self._shape.rms_norm_eps), layer.qkv)
            q, k, v = packed.view(-1, 3, heads, width).unbind(1)
            keys[row, :, positions], values[row, :, positions] = rotate(k, cos, sin), v
            queries = x.new_zeros(len(rows), most, heads, width)
            queries[row, place] = rotate(q, cos, sin) / width**0.5
            scores = queries.transpose(1, 2) @ keys[:, :, :reach].transpose(2, 3)
            weights = scores.masked_fill_(~seen[:, None], float("-inf")).softmax(-1)
            mixed = (weights @ values[:, :, :reach]).transpose(1, 2)[row, place]
            x = self._after_attention(x, mixed.flatten(1), layer)
        return self._logits(x[counts.cumsum(0) - 1])

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


def _with_room(cache: Tensor, positions: int) -> Tensor:
    missing = positions - cache.shape[4]
    return cache if missing <= 0 else functional.pad(cache, (0, 0, 0, missing + _ROOM))


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
