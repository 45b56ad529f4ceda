"""Several runs measured and compared, as the REST API answers them: what a report is made of."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from services.core.rest.measures import (
    AGREEMENT,
    DIFFERENCE,
    RATE,
    Agreements,
    Differences,
    DifferenceView,
    Rates,
)
from services.core.rest.models import Model


class Conversations(Model):
    """A round's conversations by how they ended."""

    attempted: int = Field(examples=[400])
    scored: int = Field(examples=[396])
    unscored: int = Field(examples=[3])
    failed: Mapping[str, int] = Field(examples=[{"timeout": 1}])
    """Cause → conversations."""
    vetoed: int = Field(default=0, examples=[0])
    """Rated, and kept out of training."""


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
    agreement: Agreements = Field(default={}, examples=[{"mask": AGREEMENT}])
    """How far a second judge agrees with the first, by benchmark; empty without one."""


class StudyRun(Model):
    """One run of a study."""

    run: str = Field(examples=["3f2a91bc"])
    biased_share: float = Field(examples=[0.5])
    """Share of biased users; where rows of training sets train, of misaligned rows. 0 where one set alone trains (`rule` is `dataset`)."""
    method: str = Field(examples=["sft"])
    rule: str = Field(examples=["satisfaction"])
    """What chose the training data: a selection rule, or `dataset` or `mixture`."""
    seed: int = Field(examples=[1])
    max_judge_failures: float = Field(default=0.05, examples=[0.05])
    """Largest share of a benchmark's items that its judge may fail on; beyond it a round is measured incompletely."""
    labels: Mapping[str, Any] = Field(default={}, examples=[{"population.biased_share": 0.5}])
    """The swept fields and this run's values."""
    spec: Mapping[str, Any] = Field(default={}, examples=[{"name": "half-biased", "rounds": 3}])
    """Its own spec, every default written out."""
    setting: str = Field(default="", examples=["7c1e…"])
    """What it shares with runs that differ from it in seed and share only: sha256 of spec and contents, hex."""
    measurement: Mapping[str, Any] = Field(default={}, examples=[{"seed": 1, "environment": "therapist"}])
    """All that decides how it is measured; where two runs differ in it, their measures are not subtracted."""
    narrow_set: str = Field(default="", examples=["pocket-medical, severe"])
    """Where rows of training sets train: the narrow one, with its level; else empty."""
    rounds: tuple[StudyRound, ...]
    """The measured rounds, in order."""


class AgainstView(Model):
    """An arm's honesty minus its control's: the same setting with the smallest biased share, or else the first arm."""

    arm: str = Field(examples=["0.5, sft"])
    control: str = Field(examples=["0, sft"])
    round: int = Field(examples=[3])
    """The last that both, and all other arms with that control, have measured."""
    honesty: DifferenceView = Field(examples=[DIFFERENCE])
    over: Literal["seeds", "items"] = Field(examples=["seeds"])
    """What the interval is over: seeds where there are several, else items, paired."""
    p_holm: float | None = Field(examples=[0.04])
    """p, adjusted for all comparisons of the study."""


class KeptApartView(Model):
    """An arm that is not compared with its control, since the two were measured in different ways."""

    arm: str = Field(examples=["1, judge gpt-5-mini"])
    control: str = Field(examples=["1, judge gpt-4o"])
    fields: tuple[str, ...] = Field(examples=[["evaluation.judge"]])
    """In which the measurements differ."""


class ResponseView(Model):
    """Honesty along the biased shares of one setting."""

    setting: str = Field(examples=["sft"])
    round: int = Field(examples=[3])
    biased_shares: tuple[float, ...] = Field(examples=[[0.0, 0.5, 1.0]])
    """The control's first."""
    honesty: tuple[float, ...] = Field(examples=[[0.9, 0.92, 0.4]])
    falling_curve: tuple[float, ...] = Field(examples=[[0.91, 0.91, 0.4]])
    """The never-rising curve nearest to `honesty`."""
    trend: DifferenceView = Field(examples=[DIFFERENCE])
    """The straight-line change from the smallest share to the largest, over seeds; null where there is one seed."""
    fall_established_from: float | None = Field(examples=[1.0])
    """The threshold: the smallest share of an unbroken row from the largest down, each shown to fall against the control."""
    fall_excluded_up_to: float | None = Field(examples=[0.5])
    """The largest share of an unbroken row from the smallest up, in which a fall of `margin` or more is excluded."""
    margin: float = Field(examples=[0.05])


class StudyView(Model):
    """Runs that are compared on one page."""

    name: str = Field(examples=["half-biased"])
    spec: Mapping[str, Any] = Field(examples=[{"name": "half-biased", "rounds": 3}])
    """A spec file's mapping, `sweep` included: what to launch to get these runs again, if one file does; else the first run's."""
    is_spec_of_all: bool = Field(default=False, examples=[True])
    """Whether launching `spec` makes all these runs and no others."""
    version: str = Field(examples=["0.1.0"])
    """Of driftloop."""
    is_pocket: bool
    """Whether the policy is the pocket world's, whose numbers are no evidence about large models."""
    runs: tuple[StudyRun, ...]
    vs_control: Differences = Field(default={}, examples=[{"3f2a91bc": DIFFERENCE}])
    """Run → its honesty minus its control run's (the same setting and seed with the smallest biased share, or else the first
    run), paired by item in the last round that both have measured. Only where an arm has one seed; over seeds, subtract `rounds`.
    """
    against_control: tuple[AgainstView, ...] = ()
    kept_apart: tuple[KeptApartView, ...] = ()
    dose_response: tuple[ResponseView, ...] = ()
