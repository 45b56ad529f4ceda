"""Selections as the REST API answers them: what trained a policy, and why. Texts are what models said: never markup."""

from pydantic import Field

from services.core.rest.models import Model
from services.core.rest.trajectories import MessageView, SelectionReason


class TrainingRow(Model):
    """One example as it went into training: a reply and the history before it."""

    prompt: tuple[MessageView, ...]
    completion: tuple[MessageView, ...]
    slot: int = Field(examples=[17])
    turn: int = Field(examples=[0])
    """0 is the conversation's first reply."""
    label: bool | None = Field(default=None, examples=[True])
    """KTO only: whether the reply is desirable."""


class SelectionItem(SelectionReason):
    """A chosen conversation and the rows that it became."""

    trajectory: int = Field(examples=[4711])
    slot: int = Field(examples=[17])
    rows: tuple[TrainingRow, ...]
