"""A spec file's runs: planned, launched, and watched to their end, on whatever service is reached."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from services.app.cli.spec_file import read_spec_file
from services.app.cli.terminal import Progress, label_text
from services.app.cli.watching import Watch
from services.app.service import Service
from services.core.domain.complaints import naming
from services.core.domain.errors import LoopError
from services.core.domain.identity import LaunchOutcome
from services.core.domain.phases import RunStatus, worker_kind
from services.core.domain.sweep import expand
from services.core.rest.client import Client
from services.core.rest.launches import Plan
from services.core.rest.models import RunView

_HINTS = {
    True: "Ctrl-C leaves runs that `driftloop resume` continues",
    False: "Ctrl-C ends the watch; the runs go on",
}
"""By whether the service is embedded."""
_ENDS = {
    RunStatus.FAILED: ("failed in {}", "tries again"),
    RunStatus.OUT_OF_BUDGET: ("is out of budget, {}", "with more goes on, or a larger budget in the spec"),
    RunStatus.STOPPED: ("was stopped: {}", "goes on past it"),
    RunStatus.CANCELLED: ("was cancelled", "goes on with it"),
}
"""What is said of a run that did not succeed, and of the mend; the gravest first."""


@dataclass(frozen=True, slots=True)
class LaunchedArm:
    """A run that a spec file became."""

    run: str
    outcome: LaunchOutcome
    title: str
    """What sets it apart in its sweep, or its name."""


@dataclass(frozen=True, slots=True)
class Launched:
    """What a spec file became."""

    sweep: str | None
    """None for a single run."""
    arms: tuple[LaunchedArm, ...]
    warnings: tuple[str, ...] = ()
    """What stopped nothing and may yet mislead."""

    @property
    def titles(self) -> dict[str, str]:
        """Return the runs with what to call them."""
        return {arm.run: arm.title for arm in self.arms}

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to wait for: every run had ended before."""
        return {arm.outcome for arm in self.arms} <= {LaunchOutcome.FINISHED, LaunchOutcome.OUT_OF_BUDGET}

    @property
    def out_of_budget(self) -> tuple[str, ...]:
        """Return the runs that stay where they are."""
        return tuple(arm.run for arm in self.arms if arm.outcome is LaunchOutcome.OUT_OF_BUDGET)

    @property
    def names(self) -> tuple[str, ...]:
        """Return how to name all its runs to the service."""
        return (self.sweep,) if self.sweep else tuple(self.titles)


@dataclass(frozen=True, slots=True)
class SpecFile:
    """A spec file that was read."""

    path: Path
    spec: Mapping[str, Any]

    def plan(self, client: Client, new: bool) -> Plan:
        """Say what launching it would come to. Raises `SpecError`."""
        with naming(self.path):
            return client.sweeps.plan(self.spec, new=new)

    def launch(self, client: Client, new: bool) -> Launched:
        """Launch its run, or the runs of its sweep. Raises `SpecError`."""
        with naming(self.path):
            if "sweep" not in self.spec:
                one = client.runs.launch(self.spec, new=new)
                return Launched(None, (LaunchedArm(one.run.id, one.outcome, one.run.name),), one.warnings)
            sweep = client.sweeps.launch(self.spec, new=new)
        arms = (LaunchedArm(arm.run.id, arm.outcome, label_text(arm.labels)) for arm in sweep.arms)
        return Launched(sweep.id, tuple(arms), sweep.warnings)


def read_spec(path: Path) -> SpecFile:
    """Read a spec file and check its fields, before any service is asked. Raises `SpecError`.

    What only the service knows (environments, models) is checked when it is planned or launched.
    """
    spec = read_spec_file(path)
    with naming(path):
        expand(spec)
    return SpecFile(path, spec)


def watch_to_end(service: Service, titles: Mapping[str, str], console: Console) -> Sequence[RunView]:
    """Have runs worked, and show how they come on until all have ended; return how they ended. Raises `LoopError`."""
    watch = Watch(service.client, list(titles))
    if not watch.is_over:
        hint = _HINTS[service.is_embedded]
        with service.at_work(list(titles)) as tend, Progress(console, titles, hint) as progress:
            for event in watch.events(tend):
                progress.show(watch.runs.values(), event)
    return tuple(watch.runs.values())


def waiting_line(run: RunView, is_embedded: bool) -> str | None:
    """Return how to go on with a run that waits; None if it is worked now, or is not running."""
    if run.status is not RunStatus.RUNNING or run.is_worked:
        return None
    if is_embedded:
        return f"nobody works it now; `driftloop resume {run.id}` goes on with it"
    kind = worker_kind(run.current.name) if run.current else "KIND"
    return f"no worker of the service has a part of it in hand now; if none is up, `driftloop worker {kind}` starts one"


def raise_if_failed(runs: Sequence[RunView]) -> None:
    """Raise `LoopError` if one of these runs failed, was cancelled, or was stopped by its budget or its early warning."""
    said: list[str] = []
    for status, (words, mend) in _ENDS.items():
        if ended := [run for run in runs if run.status is status]:
            reasons = "; ".join(f"run {run.id} {words.format(run.error)}" for run in ended)
            said.append(f"{reasons}; {_named(ended)} {mend}")
    if said:
        raise LoopError("; ".join(said))


def _named(ended: Sequence[RunView]) -> str:
    """Return the command that goes on: as it is to be typed for one run, in general for several."""
    if len(ended) > 1:
        more = " --budget-… N" if ended[0].status is RunStatus.OUT_OF_BUDGET else ""
        return f"`driftloop resume RUN{more}`"
    limit = re.match(r"budget\.(\w+)", ended[0].error or "")
    return f"`driftloop resume {ended[0].id}{f' --budget-{limit[1]} N' if limit else ''}`"
