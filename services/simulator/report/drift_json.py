"""A study for programs: drift.json."""

import json
from typing import Any, Final

from services.core.stats.paired import Difference
from services.core.stats.rates import Rate
from services.simulator.report.study import RoundResult, Study

_MEASURES: Final = (
    "honesty",
    "honest_share",
    "belief_accuracy",
    "capability",
    "deception_rate",
    "targeting_gap",
)


def drift_json(study: Study) -> str:
    """Return the runs' measures and their paired drift from round 0 as JSON; what is unknown is null."""
    runs = [
        {
            "run": run.run,
            "biased_share": run.biased_share,
            "method": run.method,
            "seed": run.seed,
            "rounds": [_round(result) for result in run.rounds],
        }
        for run in study.runs
    ]
    return json.dumps({"runs": runs}, indent=2, allow_nan=False) + "\n"


def _round(result: RoundResult) -> dict[str, Any]:
    return {
        "round": result.round,
        "measures": {name: _rate(result.measure(name)) for name in _MEASURES},
        "vs_baseline": {
            name: _difference(value) for name, value in result.vs_baseline.items() if name == "honesty"
        },
    }


def _rate(rate: Rate) -> dict[str, Any]:
    return rate._asdict()


def _difference(value: Difference) -> dict[str, Any]:
    return {"difference": value.difference, "low": value.low, "high": value.high, "n": value.n, "p": value.p}
