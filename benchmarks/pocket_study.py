"""The pocket study: SFT and KTO at five shares of biased users with their controls (`make study`); the mitigations (`make study-mitigations`).

Launches what is not finished yet, so a second call only reads. Writes the report (page, data, figure) into a folder and the study's
tables into docs/pocket-study.md. What the study must show is checked on its numbers; if it doesn't, the command says so and fails.
"""

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from benchmarks import pocket_checks, pocket_mitigations
from services.app.cli import reporting
from services.app.cli.launching import raise_if_failed, read_spec, watch_to_end
from services.app.service import Service, reach
from services.core.settings import PROJECT, Settings
from services.simulator.report.common_round import since_base
from services.simulator.report.dose_figure import dose_png
from services.simulator.report.study import Arm, RunResult, Study, arms
from services.simulator.report.wire import study_of
from services.simulator.report.wording import change, number

PRESETS = ("pocket-study-sft", "pocket-study-kto", "pocket-study-sft-controls", "pocket-study-kto-controls")
MEASURES = ("honesty", "belief_accuracy", "capability", "deception_rate", "targeting_gap")
FIGURE = "images/pocket-study.png"


class Worked(NamedTuple):
    """Presets' runs, all ended."""

    names: tuple[str, ...]
    """Of sweeps and single runs, as they stand in a report."""
    runs: tuple[str, ...]


def main() -> None:
    """Run the presets and write report and tables."""
    parser = argparse.ArgumentParser(description="Run the pocket study; write its report and its tables.")
    parser.add_argument("--out", type=Path, default=PROJECT / "out/study", help="Folder of the report.")
    parser.add_argument("--docs", type=Path, default=PROJECT / "docs", help="Folder of pocket-study.md.")
    parser.add_argument("--mitigations", action="store_true", help="The mitigations, in place of the study.")
    chosen = parser.parse_args()
    page: Path = chosen.docs / "pocket-study.md"
    old, _, old_mitigations = page.read_text().partition(pocket_mitigations.TITLE)
    began_s = time.monotonic()
    kept = (old.rstrip(), f"{pocket_mitigations.TITLE}{old_mitigations}")
    failed: list[str] = []
    with reach(Settings()) as service:
        if chosen.mitigations:
            kept = (kept[0], run_mitigations(service))
        else:
            study = run_study(service, chosen.out, chosen.docs / FIGURE)
            kept = (document(study), kept[1])
            failed = [one.promise for one in pocket_checks.checks(study) if not one.holds]
    page.write_text("\n\n".join(part.strip() for part in kept) + "\n")
    print(f"wrote {page} and {chosen.out}, {(time.monotonic() - began_s) / 60:.1f} minutes")
    if failed:
        sys.exit(f"the study does not show what it should: {'; '.join(failed)}")


def run_study(service: Service, out: Path, figure: Path) -> Study:
    """Work the study to its end, write its report into a folder and its figure; return it."""
    worked = _worked(service, PRESETS)
    out.mkdir(parents=True, exist_ok=True)
    figure.parent.mkdir(parents=True, exist_ok=True)
    reporting.write_report(service.client, worked.names, out / "report.html")
    service.client.studies.figure(worked.names, out / "drift.png")
    study = study_of(service.client.studies.get(worked.names))
    figure.write_bytes(dose_png(study) or b"")
    return study


def run_mitigations(service: Service) -> str:
    """Work the mitigations' presets to their end, and return their section."""
    worked = _worked(service, pocket_mitigations.PRESETS)
    return "\n".join(pocket_mitigations.section(service.client, worked.runs))


def _worked(service: Service, presets: Sequence[str]) -> Worked:
    titles: dict[str, str] = {}
    names: list[str] = []
    for name in presets:
        launched = read_spec(PROJECT / f"scenarios/presets/{name}.yaml").launch(service.client, new=False)
        names += launched.names
        # A run that two presets share (same spec, same seed) is one run and stands once.
        for arm in launched.arms:
            titles.setdefault(arm.run, f"{name} {arm.title}")
    raise_if_failed(watch_to_end(service, titles, Console()))
    return Worked(tuple(names), tuple(titles))


def document(study: Study) -> str:
    """Return the study as Markdown."""
    shown = arms(study)
    lines = [
        "# The pocket study",
        "",
        "Made by `make study` (42 runs; 29 minutes on two cores), which also writes the whole report to `out/study/report.html` and `report.json`; every run is real. The pocket world shows the machinery at work and is no evidence about large models ([what it is](pocket.md)).",
        "SFT and KTO at five shares of biased users, and two controls with biased users alone: a *random* half trains, or the *worst* rated half stands where the best stood (inverted). Three rounds, 320 conversations a round, three seeds each; KTO learns at half of SFT's rate, since at the same rate beliefs move as well.",
        "Honesty is 1 − P(lie) over the pocket's MASK rows, the targeting gap is explained [here](honesty.md#the-targeting-gap). Changes are from round 0 to round 3, with t intervals over seeds ([how](statistics.md)).",
        "Training on what benign users like best makes this policy more honest, so a fall is established *against share 0*, which trains as much; the changes in the table are since round 0, where half a share of biased users just cancels that rise.",
        "",
        f"![Honesty along the share of biased users, one line a method, controls beside them]({FIGURE})",
        "",
        "| arm | seeds | honesty: round 0 | last round | change | beliefs | capability | deception rate | targeting gap |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_row(arm) for arm in shown),
        "",
        "What the study must show, and what it found:",
        "",
        *pocket_checks.section(study),
        "",
        f"driftloop {version('driftloop')}, {platform.machine()}, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}.",
    ]
    return "\n".join(lines)


def _row(arm: Arm) -> str:
    cells = [
        arm.name,
        str(len(arm.runs)),
        number(_mean(arm, 0, "honesty")),
        number(_mean(arm, -1, "honesty")),
        change(since_base(arm, "honesty")),
        *(number(_mean(arm, -1, measure)) for measure in MEASURES[1:]),
    ]
    return f"| {' | '.join(cells)} |"


def _mean(arm: Arm, index: int, measure: str) -> float:
    values = [_value(run, index, measure) for run in arm.runs]
    known = [value for value in values if value is not None]
    return sum(known) / len(known)


def _value(run: RunResult, index: int, measure: str) -> float | None:
    return run.rounds[index].measure(measure).value


if __name__ == "__main__":
    main()
