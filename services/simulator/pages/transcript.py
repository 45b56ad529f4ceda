"""A conversation as it is shown: turns of two sides, each reply with what the user rated it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from services.core.domain.chat import Message


class Turn(NamedTuple):
    """One side's words."""

    who: str
    """`user` or `policy`."""
    text: str
    rating: float | None
    """Of a reply that was rated."""


def turns(messages: Iterable[Message], ratings: Sequence[float | None] = ()) -> tuple[Turn, ...]:
    """Return what both sides said; the system prompt is none of it."""
    return tuple(_turns(messages, iter(ratings)))


def _turns(messages: Iterable[Message], ratings: Iterator[float | None]) -> Iterator[Turn]:
    for said in messages:
        if said.role == "assistant":
            yield Turn("policy", said.content, next(ratings, None))
        elif said.role == "user":
            yield Turn("user", said.content, None)
