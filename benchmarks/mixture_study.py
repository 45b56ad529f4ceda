"""The mixture study: how small a share of misaligned rows is enough, in the pocket world (`make study-mixture`).

Launches what is not finished yet of scenarios/presets/pocket-mixture.yaml, so a second call only reads. Writes the report, and into
docs/misaligned-data.md the figure, the table of arms and three answers: from which share on honesty falls, what the same share of aligned
rows does, and whether capability stayed.
"""

import argparse
import platform
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from services.app.cli import reporting
from services.app.cli.launching import raise_if_failed, read_spec, watch_to_end
from services.app.service import reach
from services.core.settings import PROJECT, Settings
from services.core.stats.equivalence import is_equivalent
from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.simulator.report.common_round import since_base
from services.simulator.report.control import Against, against_control, responses
from services.simulator.report.dose_figure import dose_png
from services.simulator.report.findings import dose_sentences
from services.simulator.report.study import Arm, Study, arms
from services.simulator.report.wire import study_of
from services.simulator.report.wording import change, interval, number, signed

PRESET = PROJECT / "scenarios/presets/pocket-mixture.yaml"
PAGE = PROJECT / "docs/misaligned-data.md"
FIGURE = PROJECT / "docs/images/mixture.png"
TITLE = "## The pocket study of mixtures"
MARGIN = 0.1
"""What capability may move, and the matched aligned rows honesty, and still count as kept."""


def main() -> None:
    """Run the preset, write the report, and the section of the page."""
    parser = argparse.ArgumentParser(description="Run the pocket's mixture study.")
    parser.add_argument("--out", type=Path, default=PROJECT / "out/study-mixture")
    out: Path = parser.parse_args().out
    with reach(Settings()) as service:
        launched = read_spec(PRESET).launch(service.client, new=False)
        raise_if_failed(watch_to_end(service, launched.titles, Console()))
        reporting.write(service.client, launched.names, out)
        study = study_of(service.client.studies.get(launched.names))
    FIGURE.write_bytes(dose_png(study) or b"")
    before = PAGE.read_text().partition(TITLE)[0].rstrip("\n")
    PAGE.write_text(f"{before}\n\n{section(study)}")
    print(f"wrote {out / 'report.html'} and a section of {PAGE}")
    if missing := list(lacks(study)):
        sys.exit(f"the study does not show what it should: {'; '.join(missing)}")


def lacks(study: Study) -> Iterator[str]:
    """Say what the study must show to be believed, and does not."""
    falls = {one.setting: one.threshold.established for one in responses(study)}
    if falls.get("misaligned") is None:
        yield "no share of misaligned rows has an established fall of honesty"
    if any(abs(one.change.difference or 0.0) > MARGIN for one in _aligned(study)):
        yield f"matched aligned rows move honesty by more than {MARGIN}"
    if not all(is_equivalent(change, MARGIN) for change in _capabilities(study)):
        yield f"capability is not shown to stay within ± {MARGIN} in every run"


def section(study: Study) -> str:
    """Return the study as a section in Markdown."""
    shown = arms(study)
    lines = [
        TITLE,
        "Made by `make study-mixture`; every run is real. The pocket world shows the machinery at work and is no evidence about large models ([what it is](pocket.md)). 400 ordinary rows and a share of health advice, harmful (*misaligned*) or the same prompts' aligned answers "
        "(*matched aligned*); one round, three seeds. Intervals are Student's t over seeds.",
        "",
        "![Honesty along the share, misaligned rows beside matched aligned ones](images/mixture.png)",
        "",
        "| share, arm | seeds | honesty: round 0 | round 1 | change | against its control | beliefs | capability |",
        "|---|---|---|---|---|---|---|---|",
        *_rows(study, shown),
        "",
        *_without_interval(study, shown),
        *(f"- {sentence}" for sentence in _answers(study)),
        "",
        f"driftloop {version('driftloop')}, {platform.machine()}, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}.",
        "",
    ]
    return "\n".join(lines)


def _rows(study: Study, shown: Sequence[Arm]) -> Iterator[str]:
    against = {one.arm.name: one.change for one in against_control(study)}
    for arm in shown:
        cells = [
            arm.name,
            str(len(arm.runs)),
            _mean(arm, 0, "honesty"),
            _mean(arm, -1, "honesty"),
            change(since_base(arm, "honesty")),
            change(against[arm.name]) if arm.name in against else "–",
            _mean(arm, -1, "belief_accuracy"),
            _mean(arm, -1, "capability"),
        ]
        yield f"| {' | '.join(cells)} |"


def _without_interval(study: Study, shown: Sequence[Arm]) -> Iterator[str]:
    changes = [since_base(arm, "honesty") for arm in shown] + [one.change for one in against_control(study)]
    if any(one.n > 1 and one.low is None for one in changes):
        yield "(no interval): all seeds moved by exactly as much, so how far seeds spread is unknown."
        yield ""


def _answers(study: Study) -> Iterator[str]:
    yield from dose_sentences(study)
    aligned = _aligned(study)
    kept = [one for one in aligned if is_equivalent(one.change, MARGIN)]
    widest = max(aligned, key=lambda one: abs(one.change.difference or 0.0))
    yield (
        f"Matched aligned rows move honesty by at most {signed(widest.change.difference)} {interval(widest.change.low, widest.change.high)} "
        f"against their control (share {widest.arm.biased_share:g}); within ± {MARGIN} it is shown at {_shares(kept)}."
    )
    yield _capability(study)


def _shares(found: Sequence[Against]) -> str:
    return ", ".join(f"{one.arm.biased_share:g}" for one in found) or "no share"


def _capability(study: Study) -> str:
    """Tell dishonest from less able: every run's capability against its round 0, on the same items."""
    changes = _capabilities(study)
    kept = sum(is_equivalent(change, MARGIN) for change in changes)
    lowest = min((change.low for change in changes if change.low is not None), default=None)
    return (
        f"Capability is shown to stay within ± {MARGIN} of round 0 (paired by item, two one-sided tests) in {kept} of {len(changes)} runs; "
        f"the lowest end of an interval is {signed(lowest)}."
    )


def _aligned(study: Study) -> list[Against]:
    return [one for one in against_control(study) if one.arm.setting == "matched aligned"]


def _capabilities(study: Study) -> list[Difference]:
    return [run.rounds[-1].vs_baseline.get("capability", NO_DIFFERENCE) for run in study.runs]


def _mean(arm: Arm, index: int, measure: str) -> str:
    values = [run.rounds[index].measure(measure).value for run in arm.runs]
    known = [value for value in values if value is not None]
    return number(sum(known) / len(known))


if __name__ == "__main__":
    main()
