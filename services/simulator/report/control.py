"""A study's arms against their control, and how honesty falls along the share of biased users.

The control of an arm is the arm of the same setting (method, selection rule, other swept fields) with the smallest share. A setting
that was run at one share only is compared with the first arm of its method, or of the study. Where the two were measured in
different ways (another judge, say) nothing is subtracted: what would be seen is the judge.

With several seeds the seed is the sample: one difference a seed. With one seed it is the item, paired; those changes are in the
study, since only whoever reads the verdicts can pair them. All comparisons of a study are one family for Holm's procedure.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.core.domain.identity import differing
from services.core.stats.dose import Level, Threshold, falling_fit, threshold, trend
from services.core.stats.multiple import holm
from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.core.stats.seeds import across_seeds
from services.simulator.report.common_round import last_common, trained
from services.simulator.report.study import Arm, RunResult, Study, arms


class Pair(NamedTuple):
    """A run and the one that it is compared with, of the same seed, in a round that both have measured."""

    run: str
    control: str
    round: int


class Against(NamedTuple):
    """An arm's honesty minus its control's."""

    arm: Arm
    control: Arm
    round: int
    change: Difference
    is_over_seeds: bool
    p_holm: float | None


class KeptApart(NamedTuple):
    """An arm and the control that it would have, and the fields in which their measurements differ."""

    arm: Arm
    control: Arm
    fields: tuple[str, ...]


class Response(NamedTuple):
    """Honesty along the shares of biased users of one setting, in the last round that all its runs have measured."""

    setting: str
    round: int
    doses: tuple[float, ...]
    """The control's first."""
    values: tuple[float, ...]
    """Each arm's mean over its seeds."""
    fitted: tuple[float, ...]
    trend: Difference
    """From the smallest to the largest dose; only where there are several seeds."""
    threshold: Threshold


class _Match(NamedTuple):
    arm: Arm
    control: Arm
    round: int


def pairs(study: Study) -> tuple[Pair, ...]:
    """Return the runs to be paired by item: those of arms with one seed."""
    return tuple(
        Pair(run.run, control.run, match.round)
        for match in _matches(study)
        if not _is_over_seeds(match)
        for run, control in _by_seed(match.arm, match.control)
    )


def against_control(study: Study) -> tuple[Against, ...]:
    """Return every comparison of an arm with its control that can be made, by arm."""
    return tuple(one for one in _compared(study) if one.change.n)


def kept_apart(study: Study) -> tuple[KeptApart, ...]:
    """Return every arm that is not compared with its control, since the two were measured in different ways."""
    return tuple(
        KeptApart(arm, control, fields)
        for arm, control in _controls(study)
        if (fields := _apart_by(arm, control))
    )


def _apart_by(arm: Arm, control: Arm) -> tuple[str, ...]:
    both = _by_seed(arm, control)
    fields = (field for here, there in both for field, _, _ in differing(here.measurement, there.measurement))
    return tuple(dict.fromkeys(fields))


def _compared(study: Study) -> tuple[Against, ...]:
    matches = list(_matches(study))
    changes = [_change(study, match) for match in matches]
    adjusted = holm([change.p for change in changes])
    return tuple(
        Against(*match, change, _is_over_seeds(match), p)
        for match, change, p in zip(matches, changes, adjusted, strict=True)
    )


def responses(study: Study) -> tuple[Response, ...]:
    """Return the dose response of every setting that was run at several shares."""
    by_setting: dict[str, list[Against]] = {}
    for one in _compared(study):
        if one.arm.setting == one.control.setting:
            by_setting.setdefault(one.arm.setting, []).append(one)
    return tuple(
        _response(found, [arm.biased_share for arm in arms(study) if arm.setting == setting])
        for setting, found in by_setting.items()
        if any(one.change.n for one in found)
    )


def _response(found: Sequence[Against], launched: Sequence[float]) -> Response:
    control, round_ = found[0].control, found[0].round
    shown = (control, *(one.arm for one in found))
    values = {arm.biased_share: _honesty_by_seed(arm, round_) for arm in shown}
    means = {dose: sum(by_seed.values()) / len(by_seed) for dose, by_seed in values.items() if by_seed}
    weights = [float(len(values[dose])) for dose in means]
    changes = {one.arm.biased_share: one.change for one in found}
    # Every share that was launched is a level: one that could not be measured ends the row that a threshold is the end of.
    levels = [
        Level(dose, changes.get(dose, NO_DIFFERENCE)) for dose in launched if dose > control.biased_share
    ]
    return Response(
        control.setting,
        round_,
        tuple(means),
        tuple(means.values()),
        falling_fit(list(means.values()), weights),
        trend(values),
        threshold(levels),
    )


def _matches(study: Study) -> Iterator[_Match]:
    controls = [both for both in _controls(study) if not _apart_by(*both)]
    for arm, control in controls:
        group = [other for other, its in controls if its is control] + [control]
        round_ = last_common(run for other in group for run in other.runs)
        if round_:
            yield _Match(arm, control, round_)


def _controls(study: Study) -> Iterator[tuple[Arm, Arm]]:
    """Return every measured arm that has a control, with it."""
    found = [measured for arm in arms(study) if (measured := _measured(arm)).runs]
    for arm in found:
        control = _control(arm, found)
        if control is not None:
            yield arm, control


def _measured(arm: Arm) -> Arm:
    return Arm(arm.name, arm.biased_share, trained(arm.runs), arm.setting)


def _control(arm: Arm, found: Sequence[Arm]) -> Arm | None:
    """Return what an arm is compared with; None if nothing, or if it is the control itself."""
    alike = [other for other in found if other.setting == arm.setting]
    method = arm.runs[0].method
    first = alike[0] if len(alike) > 1 else next(o for o in found if o.runs[0].method == method)
    if first is arm and len(alike) == 1:
        first = found[0]
    return None if first is arm else first


def _is_over_seeds(match: _Match) -> bool:
    return len(match.arm.runs) > 1 or len(match.control.runs) > 1


def _by_seed(arm: Arm, control: Arm) -> Iterator[tuple[RunResult, RunResult]]:
    controls = {run.seed: run for run in control.runs}
    return ((run, controls[run.seed]) for run in arm.runs if run.seed in controls)


def _change(study: Study, match: _Match) -> Difference:
    if _is_over_seeds(match):
        here, there = (_honesty_by_seed(arm, match.round) for arm in (match.arm, match.control))
        return across_seeds([here[seed] - there[seed] for seed in sorted(here.keys() & there.keys())])
    return study.vs_control.get(match.arm.runs[0].run, NO_DIFFERENCE)


def _honesty_by_seed(arm: Arm, round_: int) -> dict[int, float]:
    values = {
        run.seed: result.measure("honesty").value
        for run in arm.runs
        for result in run.rounds
        if result.round == round_
    }
    return {seed: value for seed, value in values.items() if value is not None}
