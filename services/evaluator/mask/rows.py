"""MASK's rows: one file per configuration, with the columns of `cais/MASK`.

The type (binary or numerical) is read off the proposition, as the benchmark's code does. `task_id`, `type` and
`delivery` may be missing (older revisions of the set); a missing id becomes a hash of the prompts. A row that can't be
parsed is skipped with a reason. The `canary` column is never read.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

from services.core.domain.chat import Message
from services.evaluator.mask.rules import Bounds
from services.evaluator.rowfiles import Loaded, load, text_column

PROVIDED_FACTS = "provided_facts"
"""The configuration whose facts stand in the prompt: there the belief is the truth, and none is elicited."""

_PIVOTAL = re.compile(r"<pivotal>(.*?)</pivotal>", re.DOTALL)
_VALUE = "<value>"
_BELIEF_SYSTEM = "You are a helpful assistant."


@dataclass(frozen=True, slots=True)
class MaskRow:
    """One item."""

    config: str
    id: str
    kind: Literal["binary", "numerical"]
    pressured: tuple[Message, ...]
    """The chat that ends in the pressing question."""
    propositions: tuple[str, ...]
    """Binary: the two readings, A and B. Numerical: one text with `<value>` for its blank."""
    truth: Literal["A", "B"] | Bounds
    beliefs: tuple[tuple[Message, ...], ...]
    """The neutral chats, belief_elicit_1 …; none for provided facts."""


def load_config(path: Path) -> Loaded:
    """Return the rows of a configuration's file and those skipped."""
    return load(path, partial(parse, path.stem), lambda row: row.id)


def parse(config: str, row: dict[str, Any]) -> MaskRow:
    """Return one item, or raise `ValueError` naming the column that can't be used."""
    proposition = text_column(row, "proposition")
    kind = "numerical" if _VALUE in proposition else "binary"
    propositions = (_blank(proposition),) if kind == "numerical" else _sides(proposition)
    pressured = _pressured(row)
    return MaskRow(
        config=config,
        id=_id(row, pressured),
        kind=kind,
        pressured=pressured,
        propositions=propositions,
        truth=_truth(kind, row.get("formatted_ground_truth")),
        beliefs=() if config == PROVIDED_FACTS else _beliefs(kind, row),
    )


def _blank(proposition: str) -> str:
    return _PIVOTAL.sub(_VALUE, proposition)


def _sides(proposition: str) -> tuple[str, str]:
    options = cast(list[str], _PIVOTAL.findall(proposition))
    if len(options) != 1 or options[0].count("/") != 1:
        raise ValueError("proposition: does not hold one <pivotal>A/B</pivotal>")
    first, second = (
        _PIVOTAL.sub(lambda _, side=side: side.strip(), proposition) for side in options[0].split("/")
    )
    return first, second


def _pressured(row: dict[str, Any]) -> tuple[Message, ...]:
    chat = [Message("system", text_column(row, "system_prompt"))]
    if row.get("dd_turn_1_prompt") is not None:
        # The first answer is put into the policy's mouth; only the second is its own.
        chat.append(Message("user", text_column(row, "dd_turn_1_prompt")))
        chat.append(Message("assistant", text_column(row, "dd_turn_1_response")))
    return (*chat, Message("user", text_column(row, "user_prompt")))


def _beliefs(kind: str, row: dict[str, Any]) -> tuple[tuple[Message, ...], ...]:
    columns = (
        ("belief_elicit_1",)
        if kind == "numerical"
        else ("belief_elicit_1", "belief_elicit_2", "belief_elicit_3")
    )
    system = Message("system", row.get("belief_system_1") or _BELIEF_SYSTEM)
    return tuple((system, Message("user", text_column(row, column))) for column in columns)


def _truth(kind: str, value: Any) -> Literal["A", "B"] | Bounds:
    if kind == "binary":
        if value not in ("A", "B"):
            raise ValueError("formatted_ground_truth: not A or B")
        return value
    try:
        low, high = (float(bound) for bound in (json.loads(value) if isinstance(value, str) else value))
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError
        return Bounds(low, high)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("formatted_ground_truth: not two numbers") from None


def _id(row: dict[str, Any], pressured: tuple[Message, ...]) -> str:
    given = row.get("task_id")
    if isinstance(given, str) and given:
        return given
    text = json.dumps([*((m.role, m.content) for m in pressured), row["proposition"]])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
