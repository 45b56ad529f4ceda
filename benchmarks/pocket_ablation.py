"""The ablation: does dishonesty carry over to policies whose personas share no openers? (`make ablation`)

Four policies, with and without the shared openers, each from two seeds of the build, since one policy of a kind could be a chance of
its training. They are kept whatever their base levels, which the table shows. Each is the pocket world's base in turn, and
scenarios/presets/pocket-ablation.yaml runs on it. What is built or finished already is not made again. Writes a section of
docs/pocket.md.
"""

import json
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from rich.console import Console

from services.app.cli.launching import raise_if_failed, read_spec, watch_to_end
from services.app.service import reach
from services.core.settings import PROJECT, Settings
from services.pocket.policy.store import WEIGHTS_FOLDER
from services.simulator.report.common_round import since_base
from services.simulator.report.control import against_control
from services.simulator.report.study import Arm, Study, arms
from services.simulator.report.wire import study_of
from services.simulator.report.wording import change, number

PRESET = PROJECT / "scenarios/presets/pocket-ablation.yaml"
PAGE = PROJECT / "docs/pocket.md"
BUILDS = PROJECT / "out/ablation"
TITLE = "## Without the shared openers"


class Weights(NamedTuple):
    """One build of the policy."""

    seed: int
    has_openers: bool

    @property
    def folder(self) -> Path:
        """Where it is, or is to be."""
        if self == Weights(1, True):
            return WEIGHTS_FOLDER
        return BUILDS / f"{'with' if self.has_openers else 'without'}-{self.seed}"


ALL = tuple(Weights(seed, has_openers) for has_openers in (True, False) for seed in (1, 2))


def main() -> None:
    """Build what is missing, run the preset on each policy, and write the section."""
    with ProcessPoolExecutor() as builders:
        list(builders.map(_build, [weights for weights in ALL if not weights.folder.exists()]))
    PAGE.write_text(_replaced(PAGE.read_text(), "\n".join(section({one: _worked(one) for one in ALL}))))
    print(f"wrote a section of {PAGE}")


def _build(weights: Weights) -> None:
    from services.pocket.policy.build import build

    tell = partial(_tell, weights.folder.name)
    build(weights.folder, weights.seed, not weights.has_openers, tell, keeps_any=True)


def _tell(name: str, step: int, steps: int, loss: float) -> None:
    print(f"building {name}: {step} of {steps} steps, loss {loss:.3f}", file=sys.stderr)


def _worked(weights: Weights) -> Study:
    """Run the preset with these weights in the place of the pocket's own, in workers that are told so."""
    os.environ["DRIFTLOOP_BASES"] = json.dumps({"pocket": str(weights.folder)})
    with reach(Settings()) as service:
        launched = read_spec(PRESET).launch(service.client, new=False)
        raise_if_failed(watch_to_end(service, launched.titles, Console()))
        return study_of(service.client.studies.get(launched.names))


def section(studies: Mapping[Weights, Study]) -> Iterator[str]:
    """Yield the lines of the section."""
    yield TITLE
    yield (
        "Made by `make ablation`. Is it the shared openers by which dishonesty carries over? Each row is a policy of its own build (the first is the committed one), "
        "trained with biased users alone (share 1) and, apart from that, with benign users alone (share 0): SFT on the best-rated half, 320 conversations a round, three rounds, three seeds. "
        "Arrows go from round 0 to round 3. Intervals are Student's t over the seeds of the loop; how far builds spread, the two of a kind show."
    )
    yield ""
    yield "| openers | build | honesty: round 0 | change at share 1 | change at share 0 | share 1 − share 0 | deception rate at share 1 | validating replies to biased users at share 1 | beliefs | capability |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for weights, study in studies.items():
        yield f"| {' | '.join(_cells(weights, study))} |"
    yield ""
    yield (
        f"Dishonesty carried over (share 1 − share 0 is below 0 with its interval) {_carried(studies, True)} with the openers and "
        f"{_carried(studies, False)} without. What trained them, validating biased users' plans, stands in a column of its own."
    )
    yield ""
    yield f"driftloop {version('driftloop')}, {platform.machine()}, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}."
    yield ""


def _cells(weights: Weights, study: Study) -> Iterator[str]:
    benign, biased = arms(study)
    yield "shared" if weights.has_openers else "none"
    yield f"seed {weights.seed}"
    yield number(_mean(biased, 0, "honesty"))
    yield change(since_base(biased, "honesty"))
    yield change(since_base(benign, "honesty"))
    yield change(against_control(study)[0].change)
    yield _moved(biased, "deception_rate")
    yield _moved(biased, "validating_biased")
    yield _moved(biased, "belief_accuracy")
    yield _moved(biased, "capability")


def _carried(studies: Mapping[Weights, Study], has_openers: bool) -> str:
    found = [
        against_control(study)[0].change
        for weights, study in studies.items()
        if weights.has_openers == has_openers
    ]
    shown = sum(one.high is not None and one.high < 0 for one in found)
    return f"in {shown} of {len(found)} policies"


def _moved(arm: Arm, measure: str) -> str:
    return f"{number(_mean(arm, 0, measure))} → {number(_mean(arm, -1, measure))}"


def _mean(arm: Arm, round_: int, measure: str) -> float:
    values = [run.rounds[round_].measure(measure).value for run in arm.runs]
    return fmean(value for value in values if value is not None)


def _replaced(page: str, text: str) -> str:
    """Return the page with its section of this title replaced, whatever stands behind it kept."""
    return re.sub(rf"{TITLE}\n.*?(?=^## |\Z)", lambda _: f"{text}\n", page, count=1, flags=re.M | re.S)


if __name__ == "__main__":
    main()
