"""What the REST API answers, as frozen models that the server writes and the client reads.

List items are summaries; a whole thing is had by its id. Lists are `Page`s with an opaque cursor. A rate always comes with its
n and interval.
"""

from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from services.core.domain.phases import RunStatus
from services.core.domain.spec import RunSpec

Item = TypeVar("Item")


class Model(BaseModel):
    """A frozen answer."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Page(Model, Generic[Item]):
    """A part of a list."""

    items: tuple[Item, ...]
    next_cursor: str | None = Field(default=None, examples=[None])
    """Give it as `cursor` to get what follows; null at the end."""


class Problem(Model):
    """What went wrong (RFC 9457), served as application/problem+json."""

    type: str = Field(examples=["urn:driftloop:not_found"])
    """Stable, for programs."""
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no run '7f3a'; `driftloop list` shows those that exist"])
    """For people: what is wrong and how to mend it."""
    instance: str = Field(examples=["/v1/runs/7f3a"])
    errors: tuple["FieldProblem", ...] = ()
    """The fields that are wrong, if it is about fields."""


class FieldProblem(Model):
    """A field that is wrong."""

    field: str = Field(examples=["population.biased_share"])
    detail: str = Field(examples=["1.2 is more than 1; use a number from 0 to 1"])


class RunSummary(Model):
    """A run in a list."""

    id: str = Field(examples=["3f2a91bc"])
    name: str = Field(examples=["half-biased"])
    status: RunStatus
    biased_share: float
    method: str = Field(examples=["sft"])
    rule: str = Field(examples=["satisfaction"])
    seed: int
    rounds: int
    error: str | None = None
    created_at: datetime
    finished_at: datetime | None = None


class RunView(RunSummary):
    """A whole run: its complete spec and how far it is."""

    spec: RunSpec
    spec_hash: str
    repetition: int
    fraction: float = Field(ge=0, le=1)
    """The share of the whole run that is done."""
