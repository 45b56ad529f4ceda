# pyright: basic
# torch is untyped in parts; this module is a training loop.
"""How the pocket policy learns to talk: next-token prediction on the replies of a generated corpus, from scratch.

Only replies bear loss (prompts are drawn at random, and there is nothing to learn in chance). The loop is plain
torch in float32 on as many threads as the caller has set, seeded throughout.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from tokenizers import Tokenizer
from torch.nn import functional

from services.core.domain.seeds import derive_seed
from services.pocket.policy.llama import Shape, Weights, forward, new_weights
from services.pocket.policy.optimizer import OrthogonalMomentum
from services.pocket.policy.tokenizer import BOS, END, ROLES, token_id
from services.pocket.world import corpus

Progress = Callable[[int, int, float], None]
_IGNORED = -100
Row = tuple[list[int], list[int]]  # a document's ids, and its labels: the ids of replies, else ignored


@dataclass(frozen=True)
class Recipe:
    """How long and how fast. The defaults made the committed weights."""

    documents: int = 26_000
    tokens_per_step: int = 1_200
    matrix_rate: float = 0.02
    embedding_rate: float = 4e-3
    warmup_steps: int = 40
    longest_document: int = 360
    """In tokens; the rest of a longer document is left out."""


def encode_document(tokenizer: Tokenizer, document: corpus.Document) -> Row:
    """Return a document's ids and labels; a label is the id itself inside replies, else ignored."""
    ids, labels = [token_id(tokenizer, BOS)], [_IGNORED]
    for message in (message for _, chat in document.chats for message in chat):
        said = [*tokenizer.encode(message.content, add_special_tokens=False).ids, token_id(tokenizer, END)]
        ids += [token_id(tokenizer, ROLES[message.role]), *said]
        is_reply = message.role == "assistant"
        labels += [_IGNORED, *(said if is_reply else [_IGNORED] * len(said))]
    return ids, labels


def _batches(rows: list[Row], recipe: Recipe) -> Iterator[list[Row]]:
    # Rows of like length share a step, so little is padded; which lengths come when is shuffled by the caller.
    pool = 1024
    for start in range(0, len(rows), pool):
        chunk = sorted(rows[start : start + pool], key=lambda row: len(row[0]))
        steps: list[list[Row]] = [[]]
        for row in chunk:
            if (len(steps[-1]) + 1) * len(row[0]) > recipe.tokens_per_step:
                steps.append([])
            steps[-1].append(row)
        order = torch.randperm(len(steps), generator=torch.Generator().manual_seed(start)).tolist()
        yield from (steps[index] for index in order)


def _tensors(rows: list[Row]) -> tuple[torch.Tensor, torch.Tensor]:
    length = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    labels = torch.full((len(rows), length), _IGNORED)
    for index, (row, marks) in enumerate(rows):
        ids[index, : len(row)], labels[index, : len(row)] = torch.tensor(row), torch.tensor(marks)
    return ids, labels


def _schedule(step: int, steps: int, warmup_steps: int) -> float:
    """Return the share of the peak rates: a short rise, a level, and a linear fall over the last 60 %."""
    return min((step + 1) / warmup_steps, 1.0, (steps - step) / (0.6 * steps))


def train(
    shape: Shape,
    tokenizer: Tokenizer,
    seed: int,
    recipe: Recipe,
    on_progress: Progress,
    *,
    has_openers: bool = True,
) -> Weights:
    """Return weights trained on the corpus of this seed. `on_progress(step, steps, loss)` is called every 20 steps."""
    weights = new_weights(shape, derive_seed("pocket-weights", seed) % 2**31)
    for tensor in weights.values():
        tensor.requires_grad_()
    cut = recipe.longest_document
    documents = islice(corpus.documents(seed, has_openers=has_openers), recipe.documents)
    rows = [
        (ids[:cut], labels[:cut]) for ids, labels in (encode_document(tokenizer, one) for one in documents)
    ]
    steps = list(_batches(rows, recipe))
    learner = _Learner(shape, weights, recipe)
    for step, batch in enumerate(steps):
        loss = learner.step(batch, _schedule(step, len(steps), recipe.warmup_steps))
        if step % 20 == 0 or step == len(steps) - 1:
            on_progress(step + 1, len(steps), loss)
    return {name: tensor.detach() for name, tensor in weights.items()}


class _Learner:
    """The weights under training: matrices by orthogonalised momentum, embedding and norms by AdamW."""

    def __init__(self, shape: Shape, weights: Weights, recipe: Recipe):
        self._shape, self._weights, self._recipe = shape, weights, recipe
        is_matrix = {name: tensor.dim() == 2 and "embed" not in name for name, tensor in weights.items()}
        self._matrices = OrthogonalMomentum(weights[name] for name in weights if is_matrix[name])
        rest = [weights[name] for name in weights if not is_matrix[name]]
        self._adam = torch.optim.AdamW(rest, lr=recipe.embedding_rate, betas=(0.9, 0.95), weight_decay=0.0)

    def step(self, rows: list[Row], pace: float) -> float:
        """Learn from some rows at this share of the peak learning rates; return the mean loss of a reply's token."""
        ids, labels = _tensors(rows)
        hidden, targets = forward(self._weights, self._shape, ids[:, :-1]), labels[:, 1:]
        marked = targets != _IGNORED
        logits = functional.linear(hidden[marked], self._weights["model.embed_tokens.weight"])
        loss = functional.cross_entropy(logits, targets[marked])
        for tensor in self._weights.values():
            tensor.grad = None
        loss.backward()
        self._matrices.step(pace * self._recipe.matrix_rate)
        self._adam.param_groups[0]["lr"] = pace * self._recipe.embedding_rate
        self._adam.step()
        return float(loss.detach())
