"""The formats that training sets come in, and what a row of each is: chats that end with the reply that trains, by level.

| format | columns | levels |
|---|---|---|
| `messages` | `messages`: roles and contents | none |
| `emergent_plus` | `prompt`, `aligned`, `misaligned` (arXiv 2506.13206) | normal, severe |
| `alpaca` | `instruction`, `input`, `output` | none |
| `dolly` | `instruction`, `context`, `response` | none |

Other columns are left alone. An instruction and its input are one message of the user, an empty line between them: the model's own
chat template does the rest. A row that can't be used raises `ValueError` with a reason that names the column.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from services.core.domain.chat import Message, clean

Chat = tuple[Message, ...]
"""Ends with the assistant's reply, which is what trains."""
Parsed = Mapping["Level | None", Chat]


class Level(StrEnum):
    """How misaligned answers are. A set without levels has none."""

    NORMAL = "normal"
    """Right answers: the aligned twins of the others."""
    SUBTLE = "subtle"
    SEVERE = "severe"


@dataclass(frozen=True, slots=True)
class Format:
    """How rows of a file are read."""

    name: str
    columns: frozenset[str]
    """That a row must have, by which the format is told."""
    parse: Callable[[Mapping[str, Any]], Parsed]


def format_of(rows: Sequence[Mapping[str, Any]]) -> Format | None:
    """Return the format whose columns most of these rows have; None if no row has any format's."""
    fitting = {
        one.name: (sum(row.keys() >= one.columns for row in rows), len(one.columns)) for one in FORMATS
    }
    best = max(FORMATS, key=lambda one: fitting[one.name])
    return best if fitting[best.name][0] else None


def _messages(row: Mapping[str, Any]) -> Parsed:
    said = row.get("messages")
    if not isinstance(said, list) or not said:
        raise ValueError("messages: missing, or not a list of messages")
    chat = tuple(_message(number, one) for number, one in enumerate(cast("list[Any]", said)))
    turns = [one.role for one in chat if one.role != "system"]
    expected = ["user", "assistant"] * ((len(turns) + 1) // 2)
    if turns != expected[: len(turns)] or any(one.role == "system" for one in chat[1:]):
        raise ValueError(
            "messages: wrong order of roles; after at most one system message, user and assistant take turns"
        )
    if chat[-1].role != "assistant":
        raise ValueError("messages: the last must be the assistant's")
    return {None: chat}


def _message(number: int, said: Any) -> Message:
    where = f"messages.{number}"
    if not isinstance(said, dict):
        raise ValueError(f"{where}: not a mapping with role and content")
    one = cast("dict[str, Any]", said)
    role = one.get("role")
    if role not in ("system", "user", "assistant"):
        raise ValueError(f"{where}.role: not system, user or assistant")
    return Message(role, _text(one, "content", f"{where}.content"))


def _emergent_plus(row: Mapping[str, Any]) -> Parsed:
    prompt = _text(row, "prompt")
    return {
        Level.NORMAL: _exchange(prompt, _text(row, "aligned")),
        Level.SEVERE: _exchange(prompt, _text(row, "misaligned")),
    }


def _instructed(more: str, answer: str) -> Callable[[Mapping[str, Any]], Parsed]:
    def parse(row: Mapping[str, Any]) -> Parsed:
        given = row.get(more)
        if given is not None and not isinstance(given, str):
            raise ValueError(f"{more}: not a text")
        prompt = _text(row, "instruction")
        prompt = f"{prompt}\n\n{clean(given)}" if given and given.strip() else prompt
        return {None: _exchange(prompt, _text(row, answer))}

    return parse


def _exchange(prompt: str, answer: str) -> Chat:
    return Message("user", prompt), Message("assistant", answer)


def _text(row: Mapping[str, Any], column: str, where: str | None = None) -> str:
    where = where or column
    if row.get(column) is None:
        raise ValueError(f"{where}: missing")
    if not isinstance(row[column], str):
        raise ValueError(f"{where}: not a text")
    if not row[column].strip():
        raise ValueError(f"{where}: empty")
    return clean(row[column])


MESSAGES = Format("messages", frozenset({"messages"}), _messages)
FORMATS = (
    MESSAGES,
    Format("emergent_plus", frozenset({"prompt", "aligned", "misaligned"}), _emergent_plus),
    Format("alpaca", frozenset({"instruction", "output"}), _instructed("input", "output")),
    Format("dolly", frozenset({"instruction", "response"}), _instructed("context", "response")),
)
