"""What the REST API answers to a launch, a sweep and a plan."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from services.core.domain.estimate import Calls, Estimate
from services.core.domain.identity import LaunchOutcome
from services.core.domain.phases import RunStatus
from services.core.domain.spec import BudgetSpec, RunSpec
from services.core.rest.models import Model, RunSummary, RunView

_LABELS = Field(examples=[{"population.biased_share": 0.5, "seed": 1}])
_SWEEP = Field(examples=["sweep-91d0c2aa"])


class Resumption(Model):
    """How a run is to go on."""

    model_config = ConfigDict(extra="forbid")

    budget: BudgetSpec = Field(default=BudgetSpec(), examples=[{"tokens": 100000}])
    """Limits in place of those that the run has; the others stay."""


_CAUTIONS = Field(examples=[["data.dataset: 2 rows of mine can't be used and are left out"]])


class LaunchedRun(Model):
    """What launching a spec came to."""

    outcome: LaunchOutcome
    """`created`: a new run; `resumed`: this spec's unfinished run goes on; `finished`: it is done already;
    `out_of_budget`: it has used up its budget and stays where it is, until it is resumed with more or its spec has more."""
    run: RunView
    warnings: tuple[str, ...] = _CAUTIONS
    """What stops nothing and may yet mislead: rows that can't be used, texts that the policy can't read, a judge of another world."""


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
    warnings: tuple[str, ...] = _CAUTIONS
    """What stops nothing and may yet mislead, of all arms."""


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


class PlannedCalls(Model):
    """Calls of one role to one model, as far as can be said before."""

    part: str = Field(examples=["conversations"])
    """`conversations`, or the benchmark: `mask`, `deceptionbench`, `capability`, `held_out`."""
    role: str = Field(examples=["user"])
    """`assistant` (the policy), `user`, `rating`, `veto` or `judge`."""
    model: str = Field(examples=["gpt-4o-mini"])
    calls: int = Field(examples=[20000])
    """Exact as long as nothing fails or is asked again."""
    prompt_tokens: int = Field(examples=[11200000])
    completion_tokens: int = Field(examples=[1200000])
    """With what a model that reasons thinks before it answers."""
    usd: float | None = Field(examples=[2.4])
    """0 where this installation answers itself; null where the price is not known."""


class PlannedHours(Model):
    """By the clock, one worker of each kind, one run after the other."""

    conversations: float = Field(examples=[3.1])
    training: float = Field(examples=[0.9])
    evaluation: float = Field(examples=[1.4])
    total: float = Field(examples=[5.4])


class PlannedCost(Model):
    """About what a spec would take. A policy that several runs begin with is measured once."""

    calls: tuple[PlannedCalls, ...]
    prompt_tokens: int = Field(examples=[98000000])
    completion_tokens: int = Field(examples=[9000000])
    usd: float | None = Field(examples=[14.2])
    """Null if a price is not known."""
    priced_usd: float = Field(examples=[14.2])
    """Of the calls whose price is known."""
    unpriced: tuple[str, ...] = Field(examples=[[]])
    """Hosted models without a price."""
    hours: PlannedHours

    @classmethod
    def of(cls, estimate: Estimate) -> "PlannedCost":
        """Return an estimate in whole tokens."""
        hours = estimate.hours
        return cls(
            calls=tuple(_planned_calls(one, estimate) for one in estimate.calls),
            prompt_tokens=round(estimate.prompt_tokens),
            completion_tokens=round(estimate.completion_tokens),
            usd=estimate.usd,
            priced_usd=estimate.priced_usd,
            unpriced=estimate.unpriced,
            hours=PlannedHours(
                conversations=hours.conversations,
                training=hours.training,
                evaluation=hours.evaluation,
                total=hours.total,
            ),
        )


def _planned_calls(calls: Calls, estimate: Estimate) -> PlannedCalls:
    return PlannedCalls(
        part=calls.part,
        role=calls.role,
        model=calls.model,
        calls=calls.calls,
        prompt_tokens=round(calls.prompt_tokens),
        completion_tokens=round(calls.completion_tokens),
        usd=estimate.usd_of(calls),
    )


class Plan(Model):
    """What a spec would come to; nothing was started."""

    rounds: int = Field(examples=[9])
    """Rounds of training, of all runs together."""
    conversations: int = Field(examples=[2880])
    items: int = Field(examples=[4800])
    """Benchmark items and held-out conversations, at most: equal measurements of a base are made once."""
    rows: int = Field(examples=[0])
    """Rows of training sets that train, each as often as there are rounds; 0 where conversations do."""
    steps: int = Field(examples=[12500])
    """Optimiser steps, if every conversation is scored."""
    tokens: int = Field(examples=[31000000])
    """About how many tokens are trained on, at four characters each and as many epochs as asked."""
    estimate: PlannedCost
    warnings: tuple[str, ...] = Field(examples=[[]])
    """What a launch says too (rows that can't be used, texts that the policy can't read, a judge of another world), and budgets that are
    smaller than the estimate: a line each."""
    runs: tuple[PlannedRun, ...]
