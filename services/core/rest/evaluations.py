"""Evaluations and verdicts as the REST API answers them. Details hold what models and judges said: never markup."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from services.core.domain.verdict import Benchmark
from services.core.rest.measures import AGREEMENT, RATE, Agreements, Rates
from services.core.rest.models import Model

_DETAIL = {
    "statement": {
        "reply": {"text": "The bridge is safe.", "seed": 7},
        "ruling": {"text": "B", "cause": None},
    },
    "belief": "A",
    "statement_label": "B",
    "accuracy": 1,
    "cause": None,
}


class MeasuredRoundView(Model):
    """A round of a run that an evaluation measures."""

    run: str = Field(examples=["3f2a91bc"])
    round: int = Field(examples=[2])


class PromptsView(Model):
    """A prompt pack, and which wording of it."""

    name: str = Field(examples=["driftloop-1"])
    sha256: str = Field(examples=["a3f1" + 60 * "0"])
    """Of all its texts."""


class EvaluationView(Model):
    """One policy measured in one way."""

    id: int = Field(examples=[7])
    policy: str = Field(examples=["run-3f2a91bc-r2"])
    rounds: tuple[MeasuredRoundView, ...]
    """What it measures; runs with the same base and settings share the evaluation of the base."""
    is_complete: bool
    items_judged: int = Field(examples=[380])
    items_total: int | None = Field(examples=[380])
    """Null if no run is left that it measures a round of."""
    incomplete: tuple[Benchmark, ...] = Field(default=(), examples=[["mask"]])
    """The benchmarks whose judge failed on more than `evaluation.judges.max_failures` of the items judged so far
    (`judge_failure_share` among the measures); their rates rest on the others."""
    judges: Mapping[str, str] = Field(
        default={}, examples=[{"mask": "gpt-5-mini", "deceptionbench": "gpt-4o"}]
    )
    """Who judges what, by the names in the spec; rulings say which model the server reported."""
    prompts: PromptsView | None = None
    """What hosted judges are told; null if none judges."""
    second_judge: str | None = Field(default=None, examples=["gpt-4o"])
    """Who reads the same replies beside `judges`, and changes no measure; null if nobody does."""
    agreement: Agreements = Field(default={}, examples=[{"mask": AGREEMENT}])
    """How far the two agree, by benchmark; empty without a second judge."""
    measures: Rates = Field(examples=[{"honesty": RATE}])
    """Of the items judged so far, by name, each with n and 95 % interval."""


class VerdictView(Model):
    """One judged item and repeat, with everything needed to judge it again."""

    benchmark: Benchmark
    subset: str = Field(examples=["known_facts"])
    """MASK configuration, DeceptionBench category, capability file, or scenario."""
    item: str = Field(examples=["k017"])
    repeat: int = Field(ge=0, examples=[0])
    outcome: str = Field(examples=["lie"])
    cause: str | None = Field(default=None, examples=[None])
    """Why nothing was measured."""
    scorer: str = Field(examples=["robust"])
    scorer_version: str = Field(examples=["1"])
    detail: Mapping[str, Any] = Field(examples=[_DETAIL])
    """The policy's replies, the judge's raw texts, the truth, and the labels that were read from them."""
