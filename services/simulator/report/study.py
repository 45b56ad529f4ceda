"""A study as plain data: the runs of one spec file, measured round by round.

Whoever reads the database fills this in; everything that is shown is made from it alone. What a run *is* comes from its own
spec: runs of one *setting* differ in dose and seed only, an *arm* is those of one dose. A setting has one name in a study, and no
other has the same. A run that repeats another's seed is no further sample: it is shown, but nothing is averaged over it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from services.core.domain.agreement import JudgesAgreement
from services.core.domain.chat import Message
from services.core.domain.identity import differing
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
    spec: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Its own spec, every default written out."""
    setting: str = ""
    """What it shares with runs that differ from it in seed and dose only (`setting_hash`)."""
    measurement: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """How it is measured (`evaluation_identity`): only where that is the same may one run's measures be taken from another's."""
    narrow_set: str = ""
    """Where rows of training sets train: the narrow one, with its level, such as `pocket-medical, severe`."""
    held_out: tuple[HeldOutTalk, ...] = ()
    max_judge_failures: float = 0.05
    """Largest share of a benchmark's items that its judge may fail on; beyond it a round is measured incompletely."""

    def at(self, place: str) -> Any:
        """Return a dotted field of its spec; None where it has none."""
        found: object = self.spec
        for part in place.split("."):
            found = cast("Mapping[str, object]", found).get(part) if isinstance(found, Mapping) else None
        return found

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
    """A spec file's mapping, `sweep` included: what to launch to get these runs again, if one file does; else the first run's."""
    runs: tuple[RunResult, ...]
    version: str
    """Of driftloop."""
    is_pocket: bool
    """Whether the policy is the pocket world's, whose numbers are no evidence about large models."""
    is_spec_of_all: bool = False
    """Whether launching `spec` makes all these runs and no others."""
    vs_control: Mapping[str, Difference] = field(default_factory=dict[str, Difference])
    """Run → its honesty minus its control run's, paired by item; only runs of arms with one seed have one."""


@dataclass(frozen=True, slots=True)
class Arm:
    """The runs that differ only in their seed, under a name that tells the arms of a study apart."""

    name: str
    biased_share: float
    runs: tuple[RunResult, ...]
    setting: str = ""
    """What the name says besides the share: the setting's name in this study. Arms of one setting differ in their share only."""
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
_SAID = frozenset({"population.biased_share", "data.share", "training.method", "selection.rule"})
"""Fields that arms are named by in another way than by field and value."""
_ELSEWHERE = frozenset({"name", "seed", "concurrency", "budget"})
"""Fields and sections of a spec that no setting differs in."""
_FEW_FIELDS = 3


def arms(study: Study) -> tuple[Arm, ...]:
    """Return a study's arms by share, then those without mitigation, then by name; last those that the narrow set alone trained."""
    found = [
        _arm(share, name, [run for run in runs if run.biased_share == share])
        for name, runs in _settings(study).items()
        for share in dict.fromkeys(run.biased_share for run in runs)
    ]
    return tuple(sorted(found, key=_order))


def _settings(study: Study) -> Mapping[str, Sequence[RunResult]]:
    """Return the runs of every setting by its name: what sweeps and presets say of it, and more where that is another's name too."""
    differ = _differ(study.runs)
    found: dict[str, list[RunResult]] = {}
    for run in study.runs:
        # A study from an older service knows no settings but their names.
        found.setdefault(run.setting or _setting(run, differ), []).append(run)
    named = [(max((_setting(run, differ) for run in runs), key=len), runs) for runs in found.values()]
    for more in (_by_fields, _by_run):
        named = list(_told_apart(named, more))
    return dict(named)


_Named = tuple[str, list[RunResult]]


def _told_apart(
    named: Sequence[_Named], more: Callable[[RunResult, Sequence[RunResult]], str]
) -> Iterator[_Named]:
    """Say more of settings that share a name: of each setting's first run among the first runs of all that do."""
    for name, runs in named:
        same = [its[0] for other, its in named if other == name]
        yield (", ".join(filter(None, (name, more(runs[0], same)))) if len(same) > 1 else name), runs


def _by_fields(run: RunResult, same: Sequence[RunResult]) -> str:
    """Return the fields of the spec in which settings differ, unless they are many or hold lists."""
    fields = {
        place: run.at(place)
        for other in same
        for place, _, _ in differing(same[0].spec, other.spec)
        if place.partition(".")[0] not in _ELSEWHERE and place not in _SAID
    }
    is_simple = len(fields) <= _FEW_FIELDS and not any(
        isinstance(other.at(place), list | Mapping) for place in fields for other in same
    )
    return ", ".join(_said(place, value) for place, value in fields.items()) if is_simple else ""


def _by_run(run: RunResult, _: Sequence[RunResult]) -> str:
    return f"run {run.run}"


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
    run = arm.runs[0]
    return run.at("mitigations.veto") not in {None, "none"} or bool(run.at("mitigations.safety_share"))


def _differ(runs: Sequence[RunResult]) -> frozenset[str]:
    """Return in which of base model, method and rule some runs differ."""
    found = {
        "policy": {str(run.at("policy")) for run in runs},
        "method": {run.method for run in runs},
        "rule": {run.rule for run in runs},
    }
    return frozenset(kind for kind, values in found.items() if len(values) > 1)


def _setting(run: RunResult, differ: frozenset[str]) -> str:
    """Name what sets a run apart besides its biased share: that of base model, method and rule in which runs differ, and swept fields."""
    parts: list[str] = []
    known = {*_SAID, "seed"}
    if "policy" in differ:
        parts.append(str(run.at("policy")))
        known.add("policy")
    if "method" in differ:
        parts.append(run.method)
    if run.is_direct and run.narrow_set:
        parts.append(run.narrow_set)
        known |= {"data.kind", "data.dataset", "data.level"}
    elif "rule" in differ:
        parts.append(run.rule)
    parts += [_said(key, value) for key, value in run.labels.items() if key not in known]
    return ", ".join(parts)


def _said(key: str, value: Any) -> str:
    if key == "data.control":
        return {"none": "misaligned", "matched_aligned": "matched aligned"}[value]
    written = str(value).lower() if value is None or isinstance(value, bool) else value
    return f"{key.rpartition('.')[2]} {written}"
