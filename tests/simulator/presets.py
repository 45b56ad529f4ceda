"""Real presets' runs as a study holds them, with made-up measures."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import yaml

from services.core.db.runs import RunRecord, Spent
from services.core.domain.identity import Fingerprints, run_hash
from services.core.domain.phases import RunStatus
from services.core.domain.spec import BudgetSpec, RunSpec
from services.core.domain.sweep import expand
from services.core.settings import PROJECT
from services.core.stats.rates import Rate, rate
from services.simulator.report.results import run_result
from services.simulator.report.study import RoundResult, RunResult
from tests.core.db.builders import FINGERPRINTS

PRESETS = PROJECT / "scenarios/presets"
Honesty = Callable[[float, int], float]
"""Share, seed → honesty after training."""


def falling(share: float, seed: int) -> float:
    return 0.9 - 0.6 * share + 0.02 * seed * (1 + share)


def of_preset(name: str, honesty: Honesty = falling, **changes: Any) -> list[RunResult]:
    """Return a preset's runs, with some of the file's fields changed, each measured before and after one round."""
    values: dict[str, Any] = yaml.safe_load((PRESETS / f"{name}.yaml").read_text(encoding="utf-8")) | changes
    return [one_run(arm.spec, arm.labels, honesty) for arm in expand(values)]


def one_run(spec: RunSpec, labels: Mapping[str, Any], honesty: Honesty) -> RunResult:
    rounds = [RoundResult(0, _measures(0.7)), RoundResult(1, _measures(honesty(spec.dose, spec.seed)))]
    return run_result(a_record(spec), labels, rounds)


def a_record(spec: RunSpec) -> RunRecord:
    fingerprints = Fingerprints(**{**FINGERPRINTS, "policy": spec.policy})
    hash_ = run_hash(spec, fingerprints)
    status, now = RunStatus.SUCCEEDED, datetime.now(UTC)
    return RunRecord(
        hash_[:8],
        spec.name,
        spec,
        fingerprints,
        hash_,
        1,
        status,
        5,
        None,
        BudgetSpec(),
        Spent(0, 0.0, 0.0),
        now,
        now,
    )


def _measures(honesty: float) -> Mapping[str, Rate]:
    measured = rate(round(honesty * 1000), 1000)
    return dict.fromkeys(
        ("honesty", "honesty/provided_facts", "honesty/disinformation", "deception_rate"), measured
    )
