"""What the REST API answers, as frozen models that the server writes and the client reads.

List items are summaries; a whole thing is had by its id. Lists are `Page`s with an opaque cursor. A rate always comes with its
n and interval.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from services.core.domain.events import EventKind
from services.core.domain.phases import PhaseName, RunStatus, ShardStatus
from services.core.domain.spec import BudgetSpec, RunSpec

Item = TypeVar("Item")


class Model(BaseModel):
    """A frozen answer."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Page(Model, Generic[Item]):
    """A part of a list."""

    # Docstrings of a generic's fields would be looked for in the source of whoever names its items.
    model_config = ConfigDict(use_attribute_docstrings=False)

    items: tuple[Item, ...]
    next_cursor: str | None = Field(
        default=None, examples=[None], description="Give it as `cursor` to get what follows; null at the end."
    )


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
    is_worked: bool = Field(examples=[True])
    """Whether it is `running` and some worker has a part of it in hand now, under a lease that has not run out. A `running` run that is
    not worked waits: for a worker that is free, between two parts for a moment, or, where its worker was stopped or died, for `resume`."""
    biased_share: float = Field(examples=[0.5])
    """Share of biased users; where rows of training sets train, of misaligned rows. 0 where one set alone trains (`rule` is `dataset`)."""
    method: str = Field(examples=["sft"])
    rule: str = Field(examples=["satisfaction"])
    """What chose the training data: a selection rule, or `dataset` or `mixture`."""
    seed: int = Field(examples=[1])
    rounds: int = Field(examples=[3])
    error: str | None = Field(default=None, examples=[None])
    created_at: datetime
    finished_at: datetime | None = Field(default=None, examples=[None])


class PhaseView(Model):
    """One phase of one round, over its shards."""

    round: int = Field(ge=0, examples=[1])
    name: PhaseName = Field(examples=["simulate"])
    status: ShardStatus = Field(examples=["running"])
    """`failed` if a shard was given up, `running` if one is being worked."""
    shards: int = Field(examples=[4])
    shards_done: int = Field(examples=[1])
    shards_running: int = Field(examples=[2])
    shards_failed: int = Field(examples=[0])
    units_done: int = Field(examples=[150])
    """Conversations, benchmark items or optimiser steps."""
    units_total: int = Field(examples=[400])
    fraction: float = Field(ge=0, le=1, examples=[0.375])
    eta_s: float | None = Field(examples=[31.5])
    """Seconds until it is done, from observed rates; null while nothing tells."""
    started_at: datetime | None
    finished_at: datetime | None = Field(examples=[None])


class SpentView(Model):
    """What a run has taken so far, of what its budget may limit."""

    tokens: int = Field(ge=0, examples=[52310])
    """Of all model calls, asked and answered, as far as servers told."""
    usd: float | None = Field(default=None, ge=0, examples=[0.41])
    """Of the calls whose price is known; null if none is."""
    hours: float = Field(ge=0, examples=[0.62])
    """By the clock, in which some worker had a part of the run in hand."""


class RunView(RunSummary):
    """A whole run: its complete spec and how far it is."""

    spec: RunSpec
    spec_hash: str = Field(examples=["3f2a91bc4be1d0c2a6f5978e0d1b7c33a8e94f6120c5d7b8e3a1f09c2d4b6e85"])
    """The run's identity: of its spec and of the contents of what it names."""
    repetition: int = Field(ge=1, examples=[1])
    fraction: float = Field(ge=0, le=1, examples=[0.42])
    """The share of the whole run that is done."""
    eta_s: float | None = Field(default=None, examples=[95.0])
    """Seconds until the run is done; null until every phase has been seen once."""
    current: PhaseView | None = None
    """The phase that is owed or worked; null when the run is finished."""
    budget: BudgetSpec = Field(examples=[{"tokens": 50000, "usd": None, "hours": None}])
    """The limits that hold now: the spec's, or what was given since."""
    spent: SpentView


class ShardView(Model):
    """A part of a phase that one worker works."""

    id: int = Field(examples=[90])
    round: int = Field(examples=[1])
    phase: PhaseName = Field(examples=["simulate"])
    shard: int = Field(examples=[0])
    first_unit: int = Field(examples=[0])
    last_unit: int = Field(examples=[100])
    """A half-open range of slots or items."""
    status: ShardStatus = Field(examples=["running"])
    attempt: int = Field(examples=[1])
    """How often it was claimed."""
    failures: int = Field(examples=[0])
    """How often in a row it failed; the third gives it up."""
    worker: str | None = Field(examples=["worker-17"])
    units_done: int = Field(examples=[64])
    units_total: int = Field(examples=[100])
    error: str | None = Field(examples=[None])
    started_at: datetime | None
    finished_at: datetime | None = Field(examples=[None])


class RateView(Model):
    """A share in [0, 1], or a difference of two (the targeting gap), with its 95 % interval."""

    value: float | None = Field(examples=[0.64])
    """Null if nothing was measured; so are the bounds."""
    low: float | None = Field(examples=[0.55])
    high: float | None = Field(examples=[0.72])
    n: int = Field(ge=0, examples=[120])
    """Items (not answers) that it rests on."""


class SafetyRows(Model):
    """Rows of safety data in a round's training data."""

    rows: int = Field(ge=0, examples=[40])
    repeated: int = Field(ge=0, examples=[0])
    """Of these, those that were taken again because the file has too few."""


class AlertedChange(Model):
    """A drop, with its 95 % interval."""

    difference: float = Field(examples=[-0.12])
    low: float = Field(examples=[-0.19])
    high: float = Field(examples=[-0.05])
    n: int = Field(examples=[120])
    """Items valid in both rounds."""


class AlertView(Model):
    """What a run's early warning found after a round."""

    round: int = Field(ge=1, examples=[2])
    created_at: datetime
    action: Literal["alert", "stop"] = Field(examples=["alert"])
    """Whether the run went on or was stopped (in its last round there is nothing to stop)."""
    measure: Literal["one_minus_lie", "honest"] = Field(examples=["one_minus_lie"])
    change: AlertedChange
    """Since round 0, paired by item."""
    p: float = Field(examples=[0.002])
    """One-sided: that a policy which never fell seems to have fallen so far."""
    alpha_spent: float = Field(examples=[0.0167])
    """This round's part of `warning.alpha`."""


class RoundView(Model):
    """One round of a run, as far as it is."""

    round: int = Field(ge=0, examples=[2])
    policy: str = Field(examples=["run-3f2a91bc-r2"])
    """The policy that this round makes and measures, by its serving name."""
    is_measured: bool
    """Whether all its verdicts are there."""
    conversations: Mapping[str, int] = Field(examples=[{"scored": 398, "failed": 2}])
    """How many are scored, vetoed (kept out of training), unscored, failed; empty in round 0."""
    users_out_of_role: RateView = Field(examples=[{"value": 0.01, "low": 0.004, "high": 0.023, "n": 400}])
    """Of the turns that simulated users were asked for; n counts turns. What was said instead is in the conversations' `calls`."""
    selected: Mapping[str, int] = Field(examples=[{"desirable": 200, "undesirable": 200}])
    """How many conversations were chosen to train the policy, by label."""
    safety: SafetyRows = Field(examples=[{"rows": 40, "repeated": 0}])
    """Safety data that trained the policy beside them."""
    adapter: str | None = Field(examples=["run-3f2a91bc-r2"])
    """The trained adapter; null in round 0 and before training."""
    evaluation: int | None = Field(examples=[12])
    """The evaluation that measures its policy; null before it begins."""
    alert: AlertView | None = None
    """What the early warning found; null without a rule (`warning` of the spec) and where nothing was found."""
    started_at: datetime | None
    finished_at: datetime | None


class EventView(Model):
    """Something that happened to a run."""

    run: str = Field(examples=["3f2a91bc"])
    seq: int = Field(ge=1, examples=[17])
    """1, 2, 3 … in the order in which things happened, without gaps."""
    kind: EventKind
    data: Mapping[str, Any] = Field(
        examples=[{"round": 1, "phase": "simulate", "shard": 0, "units_done": 64, "units_total": 100}]
    )
    created_at: datetime
