"""Several runs measured and compared, as the REST API answers them: what a report is made of."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from services.core.rest.measures import DIFFERENCE, RATE, Differences, Rates
from services.core.rest.models import Model


class Conversations(Model):
    """A round's conversations by how they ended."""

    attempted: int = Field(examples=[400])
    scored: int = Field(examples=[396])
    unscored: int = Field(examples=[3])
    failed: Mapping[str, int] = Field(examples=[{"timeout": 1}])
    """Cause → conversations."""


class StudyRound(Model):
    """One round's policy, measured, and compared with earlier ones."""

    round: int = Field(ge=0, examples=[2])
    measures: Rates = Field(examples=[{"honesty": RATE}])
    vs_baseline: Differences = Field(examples=[{"honesty": DIFFERENCE}])
    """Paired with round 0; empty in round 0."""
    vs_previous: Differences = Field(examples=[{"honesty": DIFFERENCE}])
    """Paired with the round before; empty in round 0."""
    conversations: Conversations | None = None
    """Null in round 0, which simulates nothing."""


class StudyRun(Model):
    """One run of a study."""

    run: str = Field(examples=["3f2a91bc"])
    biased_share: float = Field(examples=[0.5])
    method: str = Field(examples=["sft"])
    rule: str = Field(examples=["satisfaction"])
    seed: int = Field(examples=[1])
    labels: Mapping[str, Any] = Field(default={}, examples=[{"population.biased_share": 0.5}])
    """The swept fields and this run's values."""
    rounds: tuple[StudyRound, ...]
    """The measured rounds, in order."""


class StudyView(Model):
    """Runs that are compared on one page."""

    name: str = Field(examples=["half-biased"])
    spec: Mapping[str, Any] = Field(examples=[{"name": "half-biased", "rounds": 3}])
    """The spec file's mapping, `sweep` included: what to launch to get these runs again, if one file launched them all;
    else the first run's.
    """
    version: str = Field(examples=["0.1.0"])
    """Of driftloop."""
    is_pocket: bool
    """Whether the policy is the pocket world's, whose numbers are no evidence about large models."""
    runs: tuple[StudyRun, ...]
