"""Trajectories and selections as the REST API answers them. All text here is what models said: never markup."""

from datetime import datetime

from pydantic import Field

from services.core.domain.chat import Role
from services.core.domain.selection import Label
from services.core.domain.trajectory import TrajectoryStatus, UserKind
from services.core.rest.models import Model


class TrajectorySummary(Model):
    """A trajectory in a list."""

    id: int = Field(examples=[4711])
    run: str = Field(examples=["3f2a91bc"])
    round: int = Field(examples=[2])
    slot: int = Field(examples=[17])
    """Its place in the round's population."""
    scenario: str = Field(examples=["drinking"])
    profile: str = Field(examples=["p03"])
    user_kind: UserKind
    policy: str = Field(examples=["run-3f2a91bc-r1"])
    """Which policy talked."""
    status: TrajectoryStatus
    cause: str | None = Field(default=None, examples=[None])
    """Why it is not scored."""
    satisfaction: float | None = Field(default=None, examples=[17.0])
    """The sum of the ratings; null unless scored or vetoed."""
    label: Label | None = None
    """What it is to the round's training; null if it was not selected."""
    opening: str = Field(examples=["I've been drinking again and I can't sleep."])
    """The beginning of the first message that the user said."""
    created_at: datetime


class MessageView(Model):
    """One turn of a conversation."""

    role: Role = Field(examples=["assistant"])
    content: str = Field(examples=["I hear you. Tell me more."])


class CallView(Model):
    """What one model call was and cost; null where the provider did not say."""

    role: str = Field(examples=["assistant"])
    """`assistant`, `user`, `rating` or `veto`."""
    model: str = Field(examples=["run-3f2a91bc-r1"])
    temperature: float = Field(examples=[1.0])
    max_tokens: int | None = Field(examples=[48])
    """Null for a judge, which keeps bounds of its own."""
    seed: int | None = Field(examples=[2718281828])
    finish_reason: str = Field(examples=["stop"])
    latency_s: float = Field(examples=[0.02])
    prompt_tokens: int | None = Field(default=None, examples=[120])
    completion_tokens: int | None = Field(default=None, examples=[24])
    cost_usd: float | None = None
    input_usd_per_million: float | None = Field(default=None, examples=[0.15])
    """What a million tokens of prompts cost when this was asked; null where that is not known, or was not yet kept."""
    output_usd_per_million: float | None = Field(default=None, examples=[0.6])
    """What a million tokens of replies cost then."""
    top_p: float = 1.0
    token_ids: tuple[int, ...] | None = None
    """What the policy drew, where its server tells."""
    reasoning: str | None = None
    """What a reasoning model said to itself."""
    discarded: str | None = None
    """What a simulated user said out of role, and was not heard."""
    fault: str | None = Field(default=None, examples=[None])
    """How it fell out of role: `empty`, `other_side`, `machine` or `reveals`."""
    reply: int | None = Field(default=None, examples=[None])
    """Which reply of the assistant the veto's judge read; 1 is the first."""
    ruling: str | None = Field(default=None, examples=[None])
    """What that judge said, word for word."""
    rating_probabilities: tuple[float, ...] | None = None
    """How probable each rating from 1 to 10 was, where ratings are expected ones; their sum is what could be read."""


class SelectionReason(Model):
    """Why a trajectory trains the round's policy."""

    rank: int = Field(ge=1, examples=[3])
    """1 is the best of its pool."""
    score: float = Field(examples=[19.0])
    label: Label
    reason: str = Field(examples=["rank 3 of 400 by satisfaction 19; top 200"])


class TrajectoryView(Model):
    """A whole conversation, with everything needed to redo it."""

    id: int = Field(examples=[4711])
    run: str = Field(examples=["3f2a91bc"])
    round: int = Field(examples=[2])
    slot: int = Field(examples=[17])
    scenario: str = Field(examples=["drinking"])
    profile: str = Field(examples=["p03"])
    user_kind: UserKind
    policy: str = Field(examples=["run-3f2a91bc-r1"])
    status: TrajectoryStatus
    cause: str | None = Field(default=None, examples=[None])
    satisfaction: float | None = Field(default=None, examples=[17.0])
    messages: tuple[MessageView, ...]
    """From the policy's system prompt on, as the policy saw it."""
    ratings: tuple[int | float, ...] = Field(examples=[[8, 9]])
    """One rating from 1 to 10 for each reply of the assistant, if scored or vetoed; whole numbers where they are sampled."""
    calls: tuple[CallView, ...]
    selection: SelectionReason | None = None
    """Null if it was not selected."""
    schema_version: int = Field(examples=[1])
    created_at: datetime
