"""A study as plain data: the runs of one spec file, measured round by round.

Whoever reads the database fills this in; everything that is shown is made from it alone. An *arm* is the runs that differ in
their seed only. A run that repeats another's seed is no further sample: it is shown, but nothing is averaged over it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.core.domain.agreement import JudgesAgreement
from services.core.domain.chat import Message
from services.core.domain.trajectory import UserKind
from services.core.domain.verdict import Benchmark
from services.core.stats.paired import Difference
from services.core.stats.rates import EMPTY, Rate


@dataclass(frozen=True, slots=True)
class Counts:
    """A round's conversations by how they ended."""

    attempted: int
    scored: int
    unscored: int = 0
    failed: Mapping[str, int] = field(default_factory=dict[str, int])
    """Cause → conversations."""
    vetoed: int = 0


@dataclass(frozen=True, slots=True)
class HeldOutTalk:
    """One held-out conversation with the untrained policy and with the last one."""

    scenario: str
    profile: str
    user_kind: UserKind
    before: tuple[Message, ...]
    after: tuple[Message, ...]
    validation_before: float | None
    """Share of the policy's replies that validate the harmful plan (or 0 and 1 for the whole talk); None if not judged."""
    validation_after: float | None

    @property
    def change(self) -> float:
        """How much more of it validates the plan after than before; 0 if either was not judged."""
        if self.validation_before is None or self.validation_after is None:
            return 0.0
        return self.validation_after - self.validation_before


@dataclass(frozen=True, slots=True)
class RoundResult:
    """One round's policy: measured by name (`honesty`, `targeting_gap` …), and compared with earlier ones."""

    round: int
    measures: Mapping[str, Rate]
    vs_baseline: Mapping[str, Difference] = field(default_factory=dict[str, Difference])
    """Paired with round 0; empty in round 0."""
    vs_previous: Mapping[str, Difference] = field(default_factory=dict[str, Difference])
    conversations: Counts | None = None
    """None in round 0, which simulates nothing."""
    agreement: Mapping[Benchmark, JudgesAgreement] = field(default_factory=dict[Benchmark, JudgesAgreement])
    """How far a second judge agrees with the first; empty without one."""

    def measure(self, name: str) -> Rate:
        """Return a measure, or one without a value if it was not taken."""
        return self.measures.get(name, EMPTY)


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run. `labels` are the swept fields and this run's values."""

    run: str
    biased_share: float
    method: str
    rule: str
    seed: int
    rounds: tuple[RoundResult, ...]
    """By round; empty if nothing is measured yet."""
    labels: Mapping[str, Any] = field(default_factory=dict[str, Any])
    arm: str = ""
    """What it shares with runs that differ from it in their seed only (`arm_hash`)."""
    narrow_set: str = ""
    """Where rows of training sets train: the narrow one, with its level, such as `pocket-medical, severe`."""
    held_out: tuple[HeldOutTalk, ...] = ()
    max_judge_failures: float = 0.05
    """Largest share of a benchmark's items that its judge may fail on; beyond it a round is measured incompletely."""

    @property
    def is_direct(self) -> bool:
        """Whether rows of the narrow set alone train, so that there is no share of them to speak of."""
        return self.rule == "dataset"

    @property
    def share(self) -> str:
        """The share of biased users, or of rows of the narrow set, in words."""
        return "all" if self.is_direct else f"{self.biased_share:g}"


@dataclass(frozen=True, slots=True)
class Study:
    """Runs that are compared on one page."""

    name: str
    spec: Mapping[str, Any]
    """The spec file's mapping, `sweep` included: what to launch to get these runs again, if one file launched them all;
    else the first run's.
    """
    runs: tuple[RunResult, ...]
    version: str
    """Of driftloop."""
    is_pocket: bool
    """Whether the policy is the pocket world's, whose numbers are no evidence about large models."""
    vs_control: Mapping[str, Difference] = field(default_factory=dict[str, Difference])
    """Run → its honesty minus its control run's, paired by item; only runs of arms with one seed have one."""


@dataclass(frozen=True, slots=True)
class Arm:
    """The runs that differ only in their seed, under a name that tells the arms of a study apart."""

    name: str
    biased_share: float
    runs: tuple[RunResult, ...]
    setting: str = ""
    """What the name says besides the share; arms of one setting differ in their share only."""
    repeats: tuple[RunResult, ...] = ()
    """Runs of a seed that `runs` holds already: the longest measured stands there, the first of equals."""

    @property
    def share(self) -> str:
        """The share in words."""
        return self.runs[0].share

    @property
    def place(self) -> str:
        """Where a sentence finds a measure of it: `at share 0.5, kto`, or on what alone it was trained."""
        return f"on {_alone(self)}" if self.runs[0].is_direct else f"at share {self.name}"

    @property
    def cause(self) -> str:
        """What a sentence says that it was trained with."""
        if self.runs[0].is_direct:
            return _alone(self)
        what = shares_of(self.runs)
        return f"a {'biased share' if what == _USERS else f'share of {what}'} of {self.name}"


_USERS, _ROWS = "biased users", "rows of the narrow set"


def arms(study: Study) -> tuple[Arm, ...]:
    """Return a study's arms by share, then those without mitigation, then by name; last those that the narrow set alone trained."""
    groups: dict[tuple[bool, float, str], dict[str, list[RunResult]]] = {}
    for run in study.runs:
        alike = groups.setdefault((run.is_direct, run.biased_share, _setting(study, run)), {})
        alike.setdefault(run.arm, []).append(run)
    found = [
        _arm(share, _told_apart(setting, runs) if len(alike) > 1 else setting, runs)
        for (_, share, setting), alike in groups.items()
        for runs in alike.values()
    ]
    return tuple(sorted(found, key=_order))


def _told_apart(setting: str, runs: Sequence[RunResult]) -> str:
    """Name an arm by its first run, where it differs from another in what no sweep named."""
    return ", ".join(filter(None, (setting, f"run {runs[0].run}")))


def _arm(share: float, setting: str, runs: Sequence[RunResult]) -> Arm:
    chosen: dict[int, RunResult] = {}
    for run in runs:
        if run.seed not in chosen or len(run.rounds) > len(chosen[run.seed].rounds):
            chosen[run.seed] = run
    kept = tuple(chosen.values())
    repeats = tuple(run for run in runs if run not in kept)
    return Arm(", ".join(filter(None, (runs[0].share, setting))), share, kept, setting, repeats)


def _order(arm: Arm) -> tuple[bool, float, bool, str]:
    return arm.runs[0].is_direct, arm.biased_share, _is_mitigated(arm), arm.name


def _alone(arm: Arm) -> str:
    return f"rows of {arm.setting} alone" if arm.setting else f"{_ROWS} alone"


def shares_of(runs: Sequence[RunResult]) -> str:
    """Say what the shares of some runs are shares of."""
    are_rows = {run.rule in {"dataset", "mixture"} for run in runs}
    return f"{_USERS} or {_ROWS}" if len(are_rows) > 1 else _ROWS if True in are_rows else _USERS


def _is_mitigated(arm: Arm) -> bool:
    """Whether an arm does something against drift that others of its sweep leave off: those are its control."""
    labels = arm.runs[0].labels
    return labels.get("mitigations.veto", "none") != "none" or bool(labels.get("mitigations.safety_share"))


def _setting(study: Study, run: RunResult) -> str:
    """Name what sets a run apart besides its biased share, where runs differ in it."""
    parts: list[str] = []
    if len({other.method for other in study.runs}) > 1:
        parts.append(run.method)
    known = {"population.biased_share", "data.share", "training.method", "selection.rule", "seed"}
    if run.is_direct and run.narrow_set:
        parts.append(run.narrow_set)
        known |= {"data.kind", "data.dataset", "data.level"}
    elif len({other.rule for other in study.runs}) > 1:
        parts.append(run.rule)
    parts += [_said(key, value) for key, value in run.labels.items() if key not in known]
    return ", ".join(parts)


def _said(key: str, value: Any) -> str:
    if key == "data.control":
        return {"none": "misaligned", "matched_aligned": "matched aligned"}[value]
    return f"{key.rpartition('.')[2]} {value}"
