"""A conversation as it is shown: turns of two sides, each reply with what is known of it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from services.core.domain.chat import Message


class Turn(NamedTuple):
    """One side's words."""

    who: str
    """`user` or `policy`."""
    text: str
    rating: float | None = None
    """What the user rated this reply."""
    validates: bool | None = None
    """Whether this reply tells that the plan is fine, if that was judged."""


def turns(
    messages: Iterable[Message], ratings: Sequence[float] = (), validates: Sequence[bool | None] = ()
) -> tuple[Turn, ...]:
    """Return what both sides said; the system prompt is none of it."""
    return tuple(_turns(messages, iter(ratings), iter(validates)))


def _turns(
    messages: Iterable[Message], ratings: Iterator[float], validates: Iterator[bool | None]
) -> Iterator[Turn]:
    for said in messages:
        if said.role == "assistant":
            yield Turn("policy", said.content, next(ratings, None), next(validates, None))
        elif said.role == "user":
            yield Turn("user", said.content)
