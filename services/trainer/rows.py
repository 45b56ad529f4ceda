# pyright: basic
# (tokenizers carry no complete types)
"""Rows as tokens: what a training example is to the model.

The chat template renders the prompt with the opening of an assistant turn, and the prompt with its completion; where
the two part, the completion starts, and its end-of-turn token is in it. Prompts are never trained on. An example
longer than `max_length` loses its end, and one that would lose its whole completion is dropped; both are counted.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple, cast

from transformers import PreTrainedTokenizerBase

from services.core.domain.errors import TrainingError


class Tokens(NamedTuple):
    """One example."""

    prompt: list[int]
    completion: list[int]


class Row(NamedTuple):
    """One example and its KTO label (None in SFT)."""

    tokens: Tokens
    label: bool | None
    is_cut: bool
    """It lost its end to `max_length`."""


class Tokenised(NamedTuple):
    """The examples that train, and what became of the others."""

    rows: list[Row]
    dropped: int
    """Examples that do not train."""

    @property
    def cut(self) -> int:
        """Examples that train, and lost their end."""
        return sum(row.is_cut for row in self.rows)


def read_rows(path: Path, sha256: str) -> list[dict[str, Any]]:
    """Return the rows of a JSON-lines file. Raises TrainingError if it is not the file that was meant, or empty."""
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"training rows {path} can't be read ({error.strerror})") from None
    if hashlib.sha256(payload).hexdigest() != sha256:
        raise TrainingError(
            f"training rows {path} are not those of the job: their sha256 differs; select again"
        )
    if not payload:
        raise TrainingError(f"training rows {path} are empty: nothing was selected")
    return [json.loads(line) for line in payload.splitlines()]


def tokenise(rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int) -> Tokenised:
    """Return the examples that keep at least one completion token within `max_length` tokens, in order."""
    whole = [(_tokens(row, tokenizer), row.get("label")) for row in rows]
    kept = [(tokens, label) for tokens, label in whole if len(tokens.prompt) < max_length]
    if not kept:
        raise TrainingError(
            f"training.max_length: no example has a reply within {max_length} tokens; raise it"
        )
    shortened = [_shortened(tokens, label, max_length) for tokens, label in kept]
    return Tokenised(shortened, len(whole) - len(kept))


def _shortened(tokens: Tokens, label: bool | None, max_length: int) -> Row:
    prompt, completion = tokens
    left = max_length - len(prompt)
    return Row(Tokens(prompt, completion[:left]), label, len(completion) > left)


def _tokens(row: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> Tokens:
    prompt = _render(tokenizer, row["prompt"], add_generation_prompt=True)
    whole = _render(tokenizer, row["prompt"] + row["completion"], add_generation_prompt=False)
    differing = (i for i, (one, other) in enumerate(zip(prompt, whole, strict=False)) if one != other)
    start = next(differing, len(prompt))
    return Tokens(whole[:start], whole[start:])


def _render(
    tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], *, add_generation_prompt: bool
) -> list[int]:
    ids = tokenizer.apply_chat_template(
        messages, tokenize=True, return_dict=False, add_generation_prompt=add_generation_prompt
    )
    return cast(list[int], ids)
