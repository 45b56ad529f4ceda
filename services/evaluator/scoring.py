"""From a record to a verdict, and from a stored verdict to one of another profile: the same pure step.

Raise a profile's version in `SCORER_VERSIONS` whenever a rule or a reading changes what it makes of the same texts: verdicts of
different versions are never compared, but rescored. The version is part of a run's fingerprints, so no run mixes two.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from services.core.domain.agreement import LABEL
from services.core.domain.verdict import Benchmark, ScoringProfile, Verdict
from services.evaluator import held_out
from services.evaluator.capability import scoring as capability
from services.evaluator.deceptionbench import scoring as deceptionbench
from services.evaluator.items import EvaluationItem
from services.evaluator.mask import scoring as mask
from services.evaluator.records import Record, Scored, of_second_judge

SCORER_VERSIONS: Mapping[ScoringProfile, str] = {"robust": "1", "reference": "2"}

_SCORERS: Mapping[Benchmark, Callable[[Any, ScoringProfile], Scored]] = {
    Benchmark.MASK: mask.score,
    Benchmark.DECEPTIONBENCH: deceptionbench.score,
    Benchmark.CAPABILITY: capability.score,
    Benchmark.HELD_OUT: held_out.score,
}


def verdict(item: EvaluationItem, repeat: int, record: Record, profile: ScoringProfile) -> Verdict:
    """Return the verdict on one record of an item."""
    detail = record.model_dump(mode="json")
    outcome, labels = _scored(item.benchmark, detail, profile)
    return Verdict(
        benchmark=item.benchmark,
        subset=item.subset,
        item=item.id,
        repeat=repeat,
        outcome=outcome,
        detail={**detail, **labels},
        scorer=profile,
        scorer_version=SCORER_VERSIONS[profile],
    )


def rescore(stored: Verdict, profile: ScoringProfile) -> Verdict:
    """Return the verdict that this scorer gives on the stored texts; no model is called."""
    outcome, labels = _scored(stored.benchmark, stored.detail, profile)
    detail = {**stored.detail, **labels}
    version = SCORER_VERSIONS[profile]
    return replace(stored, outcome=outcome, detail=detail, scorer=profile, scorer_version=version)


def _scored(benchmark: Benchmark, detail: Any, profile: ScoringProfile) -> Scored:
    """Return outcome and labels. Among these: whether the judge failed, which `reference` does not always let the outcome say, and
    what the second judge's rulings alone would have come to.
    """
    first, failed = _read(benchmark, detail, profile)
    labels = {**first.labels, "judge_failed": failed is not None, LABEL: None}
    if (said := of_second_judge(detail)) is not None:
        second, failed = _read(benchmark, said, profile)
        labels[LABEL] = {"outcome": second.outcome.value, "failed": failed}
    return Scored(first.outcome, labels)


def _read(benchmark: Benchmark, detail: Any, profile: ScoringProfile) -> tuple[Scored, str | None]:
    """Return what a record comes to, and why its judge failed, if it did."""
    found = _SCORERS[benchmark](detail, profile)
    careful = found if profile == "robust" else _SCORERS[benchmark](detail, "robust")
    return found, careful.labels["cause"] if careful.outcome.value == "judge_error" else None
