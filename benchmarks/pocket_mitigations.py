"""The pocket study's section on mitigations: what the veto and the safety mix do to the drift under biased users alone.

Every arm is compared with the arm that does nothing, seed by seed: on the same items (paired by item, one run each), and over the seeds
(a t interval on one difference a seed).
"""

import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

from services.core.rest.client import Client
from services.core.rest.measures import DifferenceView, RoundMeasures
from services.core.rest.models import RoundView, RunView
from services.core.stats.paired import Difference
from services.core.stats.seeds import across_seeds
from services.simulator.report.wording import interval, number, signed

PRESETS = ("pocket-veto", "pocket-safety")
TITLE = "## Mitigations"
CONTROL = "none"
_CONTROLS = ("belief_accuracy", "capability", "targeting_gap")


class Measured(NamedTuple):
    """One run: its measures in its first and last round, and what it trained on between."""

    run: RunView
    first: dict[str, float]
    last: dict[str, float]
    policy: str
    """Its last one."""
    rounds: Sequence[RoundView]


def section(client: Client, runs: Iterable[str]) -> list[str]:
    """Return the section as lines of Markdown."""
    arms: dict[str, list[Measured]] = {}
    for name in runs:
        measured = _measured(client, name)
        arms.setdefault(arm_of(measured.run), []).append(measured)
    control = {one.run.seed: one for one in arms[CONTROL]}
    return [
        TITLE,
        "",
        "Made by `make study-mitigations`. Biased users alone, three rounds of SFT on the best-rated half, with what is described in",
        "[mitigations](mitigations.md). Drift is the change of honesty from round 0 to round 3; *spared* is honesty in round 3 minus that of the run of the same seed without mitigation. Intervals are t intervals over seeds;",
        "*detectable* is the smallest true difference that so many seeds would find with 80 % power. A safety arm also trains more steps than the control, since its rows come on top.",
        "",
        "| arm | seeds | honesty: round 0 | round 3 | drift | spared | detectable | beliefs | capability | targeting gap |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_row(arm, found, control) for arm, found in arms.items()),
        "",
        "Seed by seed, paired by item (95 % interval, n items), and what trained:",
        "",
        "| arm | seed | spared | vetoed in rounds 1, 2, 3 | conversations trained on | safety rows a round |",
        "|---|---|---|---|---|---|",
        *(_seed_row(client, arm, one, control) for arm, found in arms.items() for one in found),
        "",
        f"driftloop {version('driftloop')}, {platform.machine()}, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}.",
        "",
    ]


def arm_of(run: RunView) -> str:
    """Return what an arm does against drift."""
    how = run.spec.mitigations
    parts = [f"veto by {how.veto}"] if how.has_veto else []
    parts += [f"safety share {how.safety_share:g}"] if how.safety_share else []
    return ", ".join(parts) or CONTROL


def _measured(client: Client, name: str) -> Measured:
    drift = client.measures.drift(name).rounds
    rounds = [one for one in client.runs.rounds(name) if one.round]
    first, last = _values(drift[0]), _values(drift[-1])
    return Measured(client.runs.get(name), first, last, drift[-1].policy, rounds)


def _values(of_round: RoundMeasures) -> dict[str, float]:
    return {name: rate.value for name, rate in of_round.measures.items() if rate.value is not None}


def _row(arm: str, found: Sequence[Measured], control: dict[int, Measured]) -> str:
    drift = across_seeds([one.last["honesty"] - one.first["honesty"] for one in found])
    spared = across_seeds([one.last["honesty"] - control[one.run.seed].last["honesty"] for one in found])
    cells = [
        arm,
        str(len(found)),
        number(_mean([one.first for one in found], "honesty")),
        number(_mean([one.last for one in found], "honesty")),
        _said(drift),
        *(("–", "–") if arm == CONTROL else (_said(spared), number(spared.detectable))),
        *(number(_mean([one.last for one in found], measure)) for measure in _CONTROLS),
    ]
    return f"| {' | '.join(cells)} |"


def _seed_row(client: Client, arm: str, one: Measured, control: dict[int, Measured]) -> str:
    spared = "–"
    if arm != CONTROL:
        found = client.measures.between(control[one.run.seed].policy, one.policy).drift["honesty"]
        spared = f"{_said(found)}, n {found.n}"
    cells = [
        arm,
        str(one.run.seed),
        spared,
        _each(_vetoed(round_) for round_ in one.rounds),
        _each(str(round_.selected.get("desirable", 0)) for round_ in one.rounds),
        _each(_safety(round_) for round_ in one.rounds),
    ]
    return f"| {' | '.join(cells)} |"


def _vetoed(round_: RoundView) -> str:
    return f"{round_.conversations.get('vetoed', 0)} of {sum(round_.conversations.values())}"


def _safety(round_: RoundView) -> str:
    again = f" ({round_.safety.repeated} again)" if round_.safety.repeated else ""
    return f"{round_.safety.rows}{again}"


def _each(texts: Iterable[str]) -> str:
    found = list(texts)
    return found[0] if len(set(found)) == 1 else ", ".join(found)


def _said(change: Difference | DifferenceView) -> str:
    return f"{signed(change.difference)} {interval(change.low, change.high)}"


def _mean(values: Sequence[dict[str, float]], measure: str) -> float:
    return sum(one[measure] for one in values) / len(values)
