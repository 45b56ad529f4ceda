# pyright: basic
# torch is untyped in parts.
"""`driftloop pocket build`: makes the pocket policy from nothing, and refuses it if it is not fit to be used.

Corpus → training → weights, config, tokenizer and model card in a folder that transformers and vLLM can load → base
levels measured with the pocket world's own rows. A folder that misses the levels is not left behind, unless it is asked for: then its
card says what it misses.
"""

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from services.core.domain.errors import StateConflict
from services.pocket.policy.card import model_card
from services.pocket.policy.levels import Levels, measure_levels, require_base_levels
from services.pocket.policy.llama import Shape
from services.pocket.policy.server import BASE_NAME, PocketServer
from services.pocket.policy.store import Policy, save_policy
from services.pocket.policy.tokenizer import make_tokenizer
from services.pocket.policy.training import Recipe, train

COMMITTED_RECIPE = Recipe()


class BuildReport(NamedTuple):
    """What was built."""

    output: Path
    seed: int
    has_openers: bool
    weights: int
    """How many numbers the policy is made of."""
    levels: Levels
    wall_s: float


def build(
    output: Path,
    seed: int,
    ablation: bool,
    on_progress: Callable[[int, int, float], None],
    recipe: Recipe = COMMITTED_RECIPE,
    *,
    keeps_any: bool = False,
) -> BuildReport:
    """Train a policy and write its folder to `output`, which must not exist.

    `ablation` leaves the shared openers out of the corpus. `on_progress(step, steps, loss)` is called now and then.
    Raises `LoopError`, naming the levels, if the weights miss the base levels; then nothing is left at `output`. `keeps_any` keeps them
    all the same.
    """
    if output.exists():
        raise StateConflict(f"{output} exists; delete it or choose another folder")
    started = time.monotonic()
    torch.set_num_threads(1)  # float32 sums depend on it, and so would the weights
    tokenizer = make_tokenizer()
    shape = Shape(vocab_size=tokenizer.get_vocab_size())
    weights = train(shape, tokenizer, seed, recipe, on_progress, has_openers=not ablation)
    save_policy(output, Policy(shape, weights, tokenizer))
    try:
        levels = asyncio.run(measure_levels(PocketServer(output), BASE_NAME))
        if not keeps_any:
            require_base_levels(levels)
    except Exception:
        shutil.rmtree(output)
        raise
    count = sum(tensor.numel() for tensor in weights.values())
    report = BuildReport(output, seed, not ablation, count, levels, time.monotonic() - started)
    how = (recipe.documents, recipe.matrix_rate)
    card = model_card(seed, report.has_openers, count, levels, how, torch.__version__)
    (output / "MODEL_CARD.md").write_text(card)
    return report
