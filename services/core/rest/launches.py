"""What the REST API answers to a launch, a sweep and a plan."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from services.core.domain.phases import RunStatus
from services.core.domain.spec import BudgetSpec, RunSpec
from services.core.queue.rounds import LaunchOutcome
from services.core.rest.models import Model, RunSummary, RunView

_LABELS = Field(examples=[{"population.biased_share": 0.5, "seed": 1}])
_SWEEP = Field(examples=["sweep-91d0c2aa"])


class Resumption(Model):
    """How a run is to go on."""

    model_config = ConfigDict(extra="forbid")

    budget: BudgetSpec = Field(default=BudgetSpec(), examples=[{"tokens": 100000}])
    """Limits in place of those that the run has; the others stay."""


class LaunchedRun(Model):
    """What launching a spec came to."""

    outcome: LaunchOutcome
    """`created`: a new run; `resumed`: this spec's unfinished run goes on; `finished`: it is done already."""
    run: RunView


class Rejudged(Model):
    """What asking a round's failures again came to."""

    failed: int = Field(examples=[12])
    """Verdicts that had failed, and are asked again; 0: nothing is owed."""
    run: RunView


class LaunchedArm(Model):
    """What launching one arm of a sweep came to."""

    outcome: LaunchOutcome
    labels: Mapping[str, Any] = _LABELS
    """The swept fields and this arm's values."""
    run: RunSummary


class LaunchedSweep(Model):
    """What launching a sweep came to."""

    id: str = _SWEEP
    """Made of its runs: the same sweep again is the same one."""
    name: str = Field(examples=["dose"])
    arms: tuple[LaunchedArm, ...]


class SweepSummary(Model):
    """A sweep in a list."""

    id: str = _SWEEP
    name: str = Field(examples=["dose"])
    runs: Mapping[RunStatus, int] = Field(examples=[{"running": 2, "succeeded": 4}])
    """How many of its runs stand where."""
    created_at: datetime


class SweepArmView(Model):
    """A run of a sweep, with what sets it apart."""

    labels: Mapping[str, Any] = _LABELS
    run: RunSummary


class SweepView(Model):
    """A sweep with its arms, in the order of the grid."""

    id: str = _SWEEP
    name: str = Field(examples=["dose"])
    created_at: datetime
    arms: tuple[SweepArmView, ...]


class PlannedRun(Model):
    """A run as it would be launched."""

    id: str = Field(examples=["3f2a91bc"])
    outcome: LaunchOutcome
    """What launching it would come to."""
    labels: Mapping[str, Any] = _LABELS
    """The swept fields and this run's values; empty without a sweep."""
    spec: RunSpec
    """Complete: every default is written out."""


class Plan(Model):
    """What a spec would come to; nothing was started."""

    rounds: int = Field(examples=[9])
    """Rounds of training, of all runs together."""
    conversations: int = Field(examples=[2880])
    items: int = Field(examples=[4800])
    """Benchmark items and held-out conversations, at most: equal measurements of a base are made once."""
    rows: int = Field(examples=[0])
    """Rows of training sets that train, each as often as there are rounds; 0 where conversations do."""
    steps: int = Field(examples=[0])
    """Optimiser steps on these rows."""
    tokens: int = Field(examples=[0])
    """About how many tokens of these rows are trained on, at four characters each and as many epochs as asked."""
    runs: tuple[PlannedRun, ...]
