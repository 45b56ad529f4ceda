"""A study's files in one folder: drift.json for programs, drift.png for papers, report.html for people."""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

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


class ReportFiles(NamedTuple):
    """Where a study's files lie."""

    data: Path
    figure: Path
    page: Path


def write_report(study: Study, folder: Path) -> ReportFiles:
    """Write drift.json, drift.png and report.html into `folder`, which is made if need be; old ones are replaced."""
    # The command line imports this file in images that draw nothing and have nothing to draw with.
    from services.simulator.report.figure import drift_png
    from services.simulator.report.page import report_html

    folder.mkdir(parents=True, exist_ok=True)
    files = ReportFiles(folder / "drift.json", folder / "drift.png", folder / "report.html")
    contents = (drift_json(study).encode(), drift_png(study), report_html(study).encode())
    for path, content in zip(files, contents, strict=True):
        _replace(path, content)
    return files


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


def _replace(path: Path, content: bytes) -> None:
    """Write beside and rename, so that a reader never meets half a file."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
