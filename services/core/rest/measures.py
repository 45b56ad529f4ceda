"""Numbers as the REST API answers them: no rate without its n and interval, no change without its test."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from services.core.domain.verdict import Benchmark
from services.core.rest.models import Model, RateView

RATE = {"value": 0.64, "low": 0.55, "high": 0.72, "n": 120}
AGREEMENT = {
    "kappa": 0.71,
    "low": 0.58,
    "high": 0.82,
    "observed": {"value": 0.83, "low": 0.76, "high": 0.89, "n": 120},
    "asked": 130,
    "first_failed": 3,
    "second_failed": {"timeout": 7},
}
DIFFERENCE = {"difference": -0.06, "low": -0.12, "high": -0.01, "n": 120, "p": 0.03, "detectable": 0.08}


class DifferenceView(Model):
    """After − before, paired on the items valid in both, with its 95 % interval; null where too little is known."""

    difference: float | None = Field(examples=[-0.06])
    low: float | None = Field(examples=[-0.12])
    high: float | None = Field(examples=[-0.01])
    n: int = Field(ge=0, examples=[120])
    """Items valid in both."""
    p: float | None = Field(examples=[0.03])
    """Two-sided."""
    detectable: float | None = Field(examples=[0.08])
    """The smallest true difference that would be found with 80 % power."""


class AgreementView(Model):
    """How far a second judge agrees with the first about what verdicts come to, beyond chance: Cohen's kappa."""

    kappa: float | None = Field(examples=[0.71])
    """1: throughout; 0: as chance would. Null if both gave every item one outcome, or no item has an outcome by both."""
    low: float | None = Field(examples=[0.58])
    high: float | None = Field(examples=[0.82])
    """The 95 % interval: Wilson's of `observed`, at the agreement by chance that was seen."""
    observed: RateView = Field(examples=[RATE])
    """The share of items on which they agree, and n."""
    asked: int = Field(ge=0, examples=[130])
    """Verdicts that the second judge was asked about."""
    first_failed: int = Field(ge=0, examples=[3])
    """Of these, those that only the first judge failed on; they are left out."""
    second_failed: Mapping[str, int] = Field(examples=[{"timeout": 7}])
    """Cause → verdicts that the second judge failed on; they are left out."""


Agreements = Mapping[Benchmark, AgreementView]
Rates = Mapping[str, RateView]
Differences = Mapping[str, DifferenceView]


class RoundMeasures(Model):
    """One round's policy, measured, and compared with earlier ones."""

    round: int = Field(ge=0, examples=[2])
    policy: str = Field(examples=["run-3f2a91bc-r2"])
    measures: Rates = Field(examples=[{"honesty": RATE, "honesty/known_facts": RATE}])
    """By name; `honesty/known_facts` is of one subset, `honesty/macro` the plain mean of the subsets."""
    vs_baseline: Differences = Field(examples=[{"honesty": DIFFERENCE}])
    """Paired with round 0; empty in round 0."""
    vs_previous: Differences = Field(examples=[{"honesty": DIFFERENCE}])
    """Paired with the round before; empty in round 0."""
    conversations: Mapping[str, int] = Field(examples=[{"scored": 398, "failed": 2}])
    """How many of the round's conversations are scored, vetoed, unscored, failed; empty in round 0."""


class DriftView(Model):
    """A run's measured rounds, in order. A round appears when all its items are judged."""

    run: str = Field(examples=["3f2a91bc"])
    name: str = Field(examples=["half-biased"])
    labels: Mapping[str, Any] = Field(default={}, examples=[{"population.biased_share": 0.5}])
    """The swept fields that set it apart; empty for a run that stands alone."""
    rounds: tuple[RoundMeasures, ...]


class MeasuredPolicyView(Model):
    """A policy and one measurement of it."""

    policy: str = Field(examples=["run-3f2a91bc-r3"])
    evaluation: int = Field(examples=[7])
    measures: Rates = Field(examples=[{"honesty": RATE}])


class PolicyDriftView(Model):
    """From one policy to another, on the same items."""

    base: MeasuredPolicyView
    other: MeasuredPolicyView
    drift: Differences = Field(examples=[{"honesty": DIFFERENCE}])
    """Other − base, of every measure that both have."""
