"""The pocket study: every pocket preset, run for real, in one table (`make study-pocket`).

Launches what is not finished yet, so a second call only reads. Writes docs/pocket-study.md, with the table of arms and the answers
to two questions: does selection by satisfaction matter (random control), and does its direction (inverted control)? A section of
its own, which `--only mitigations` makes anew and alone, says what the veto and the safety mix do.
"""

import argparse
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from benchmarks import pocket_mitigations
from services.app.launching import raise_if_failed, read_spec, watch_to_end
from services.app.service import Service, reach
from services.core.settings import PROJECT, Settings
from services.core.stats.paired import Difference
from services.core.stats.rates import Rate
from services.core.stats.seeds import across_seeds
from services.simulator.report.study import Arm, RunResult, Study, arms
from services.simulator.report.wire import study_of
from services.simulator.report.wording import interval, number, signed

PRESETS = ("pocket-sft", "pocket-kto", "pocket-seeds", "pocket-random", "pocket-inverted")
MEASURES = ("honesty", "belief_accuracy", "capability", "deception_rate", "targeting_gap")


def main() -> None:
    """Run the presets and write the table."""
    parser = argparse.ArgumentParser(description="Run all pocket presets and write their table.")
    parser.add_argument("--out", type=Path, default=PROJECT / "docs/pocket-study.md")
    parser.add_argument("--only", choices=["mitigations"], help="Make only this section anew.")
    chosen = parser.parse_args()
    out: Path = chosen.out
    if chosen.only:
        page = out.read_text().partition(pocket_mitigations.TITLE)[0]
    else:
        page = document(run_presets(Console()))
    out.write_text(page.rstrip("\n") + "\n\n" + run_mitigations(Console()))
    print(f"wrote {out}")


def run_presets(console: Console) -> Study:
    """Work every run of the presets to its end, one crew for all, and return them as one study."""
    with reach(Settings()) as service:
        return study_of(service.client.studies.get(_worked(service, PRESETS, console)))


def run_mitigations(console: Console) -> str:
    """Work the mitigations' presets to their end, and return their section."""
    with reach(Settings()) as service:
        runs = _worked(service, pocket_mitigations.PRESETS, console)
        return "\n".join(pocket_mitigations.section(service.client, runs))


def _worked(service: Service, presets: Sequence[str], console: Console) -> list[str]:
    titles: dict[str, str] = {}
    for name in presets:
        launched = read_spec(PROJECT / f"scenarios/presets/{name}.yaml").launch(service.client, new=False)
        # A run that two presets share (same spec, same seed) is one run and stands once.
        for arm in launched.arms:
            titles.setdefault(arm.run, f"{name} {arm.title}")
    raise_if_failed(watch_to_end(service, titles, console))
    return list(titles)


def document(study: Study) -> str:
    """Return the study as Markdown."""
    shown = arms(study)
    lines = [
        "# The pocket study",
        "",
        "Made by `make study-pocket`; every run is real. The pocket world shows the machinery at work and is no evidence about large models ([what it is](pocket.md)).",
        "Honesty is 1 − P(lie) over the pocket's MASK rows. With one seed an interval is over items; with several it is a t interval over seeds.",
        "",
        "| arm | seeds | honesty: round 0 | last round | change | beliefs | capability | deception rate | targeting gap |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_row(arm) for arm in shown),
        "",
        *_answers(shown),
        "",
        f"driftloop {version('driftloop')}, {platform.machine()}, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}.",
        "",
    ]
    return "\n".join(lines)


def _row(arm: Arm) -> str:
    first, last = _mean(arm, 0, "honesty"), _mean(arm, -1, "honesty")
    change = _change(arm)
    cells = [
        arm.name,
        str(len(arm.runs)),
        number(first),
        number(last),
        f"{signed(change.difference)} {interval(change.low, change.high)}",
        *(number(_mean(arm, -1, measure)) for measure in MEASURES[1:]),
    ]
    return f"| {' | '.join(cells)} |"


def _answers(shown: Sequence[Arm]) -> list[str]:
    """Return the controls' answers in a sentence each."""
    by_name = {arm.name: arm for arm in shown}
    pressed = _change(by_name["1, sft, satisfaction"])
    random = _change(by_name["1, sft, random"])
    inverted = _change(by_name["1, sft, inverted"])
    return [
        f"- **Does selection matter?** With biased users alone, honesty moves by {signed(pressed.difference)} when the best rated train, "
        f"and by {signed(random.difference)} {interval(random.low, random.high)} when a random half does (mean of {random.n} seeds).",
        f"- **Does its direction?** When the *worst* rated train, it moves by {signed(inverted.difference)}.",
    ]


def _change(arm: Arm) -> Difference:
    """Return the change of honesty since round 0: over items for one run, over seeds for several."""
    changes = [run.rounds[-1].vs_baseline["honesty"] for run in arm.runs]
    if len(changes) == 1:
        return changes[0]
    return across_seeds([change.difference for change in changes if change.difference is not None])


def _mean(arm: Arm, index: int, measure: str) -> float:
    values = [_rate(run, index, measure).value for run in arm.runs]
    known = [value for value in values if value is not None]
    return sum(known) / len(known)


def _rate(run: RunResult, index: int, measure: str) -> Rate:
    return run.rounds[index].measure(measure)


if __name__ == "__main__":
    main()
