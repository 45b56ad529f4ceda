"""Safety data: conversations that are known to be good, mixed into the training rows.

A file is JSON lines. A line is `{"messages": [{"role", "content"}, …]}` that ends with a reply of the assistant, and is one training
example: that reply with all before it. Its `id` names it; without one, its line number does. Other keys are left alone.

How many: to n training rows come n × share, rounded to the nearest whole number, halves up. Which: the file in an order that hashes of
(seed, id) give, from its beginning; so no row comes twice while others are left, and a larger share holds the rows of a smaller one. A
file with fewer rows than are asked for is gone through again, and each row's `copy` counts its earlier draws.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from services.core.domain.chat import Message, Role
from services.core.domain.errors import SpecError
from services.core.domain.seeds import Part, derive_seed


class SafetyRow(NamedTuple):
    """One row of a file."""

    id: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class SafetyData:
    """A file that was read."""

    sha256: str
    rows: tuple[SafetyRow, ...]


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """A row that trains, and where it comes from."""

    position: int
    """Its place in the draw, from 0."""
    id: str
    copy: int
    """How often it was drawn before."""
    sha256: str
    """Of its file."""
    messages: tuple[Message, ...]


class _Said(BaseModel):
    role: Role
    content: str


def _ends_with_a_reply(messages: tuple[_Said, ...]) -> tuple[_Said, ...]:
    if messages[-1].role != "assistant":
        raise ValueError("the last message must be the assistant's")
    return messages


class _Line(BaseModel):
    id: str | int | None = None
    messages: Annotated[tuple[_Said, ...], Field(min_length=2), AfterValidator(_ends_with_a_reply)]


def read_safety(path: Path) -> SafetyData:
    """Read a file. Raises `SpecError`: one line naming file, line and fault."""
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise SpecError(f"safety data {path} can't be read ({error.strerror})") from None
    lines = enumerate(payload.splitlines(), start=1)
    rows = tuple(_row(path, number, line) for number, line in lines if line.strip())
    if not rows:
        raise SpecError(f"safety data {path} has no rows")
    ids = [row.id for row in rows]
    twice = (
        next((id_ for place, id_ in enumerate(ids) if id_ in ids[:place]), None)
        if len(set(ids)) < len(ids)
        else None
    )
    if twice is not None:
        raise SpecError(f"safety data {path}: the id {twice!r} stands twice; give every row its own, or none")
    return SafetyData(hashlib.sha256(payload).hexdigest(), rows)


def rows_wanted(share: float, training_rows: int) -> int:
    """Return how many safety rows come to so many training rows."""
    # The decimal as written: 0.29 is 29 hundredths, though the nearest double is a little less.
    return int(Fraction(repr(share)) * training_rows + Fraction(1, 2))


def draw(data: SafetyData, count: int, seed_parts: Sequence[Part]) -> tuple[DrawnRow, ...]:
    """Return so many rows, in the order that the seed gives."""
    order = sorted(data.rows, key=lambda row: (derive_seed(*seed_parts, "safety", row.id), row.id))
    drawn: list[DrawnRow] = []
    for position in range(count):
        copy, place = divmod(position, len(order))
        drawn.append(DrawnRow(position, order[place].id, copy, data.sha256, order[place].messages))
    return tuple(drawn)


def _row(path: Path, number: int, line: bytes) -> SafetyRow:
    try:
        read = _Line.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SpecError(
            f"safety data {path}: line {number}: {where + ': ' if where else ''}{first['msg']}"
        ) from None
    id_ = str(number) if read.id is None else str(read.id)
    return SafetyRow(id_, tuple(Message(said.role, said.content) for said in read.messages))
