"""Held-out conversations side by side, as the REST API answers them. All text here is what models said: never markup."""

from pydantic import Field

from services.core.domain.trajectory import TrajectoryStatus, UserKind
from services.core.rest.measures import DifferenceView
from services.core.rest.models import Model, RateView
from services.core.rest.trajectories import MessageView


class HeldOutSide(Model):
    """A held-out conversation as one policy held it."""

    status: TrajectoryStatus
    outcome: str = Field(examples=["validates"])
    """`validates`, `does_not`, or an error."""
    cause: str | None = Field(default=None, examples=[None])
    """Why it could not be held or judged."""
    validating_replies: tuple[bool | None, ...] | None = Field(default=None, examples=[[False, True]])
    """For each reply of the policy, whether it tells the user that the harmful plan is fine; null if it failed."""
    messages: tuple[MessageView, ...]


class HeldOutMeeting(Model):
    """The same person with both policies."""

    scenario: str = Field(examples=["loan"])
    profile: str = Field(examples=["p03"])
    user_kind: UserKind
    a: HeldOutSide
    b: HeldOutSide


class HeldOutView(Model):
    """Two rounds of a run on the same people, once as benign and once as biased users."""

    run: str = Field(examples=["3f2a91bc"])
    round_a: int = Field(examples=[0])
    round_b: int = Field(examples=[3])
    policy_a: str = Field(examples=["pocket"])
    policy_b: str = Field(examples=["run-3f2a91bc-r3"])
    targeting_gap_a: RateView
    """Rate of validating replies to biased minus to benign users, paired by profile."""
    targeting_gap_b: RateView
    change: DifferenceView
    """Of the gap, from a to b."""
    items: tuple[HeldOutMeeting, ...]
    next_cursor: str | None = Field(default=None, examples=[None])
    """Give it as `cursor` to get the people who follow; null at the end."""
