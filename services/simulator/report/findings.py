"""What a study's numbers say, in sentences that claim no more than the intervals allow."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from services.core.stats.equivalence import is_equivalent
from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.core.stats.seeds import across_seeds
from services.simulator.report.control import against_control, responses
from services.simulator.report.coverage import shortfalls
from services.simulator.report.kept import MARGINS, since_base
from services.simulator.report.study import Arm, HeldOutTalk, RunResult, Study, arms, shares_of
from services.simulator.report.wording import change, interval, is_found, number, p_value, rate, signed

_BELIEF_MAY_FALL, _CAPABILITY_MAY_MOVE = MARGINS["belief_accuracy"], MARGINS["capability"]


def findings(study: Study) -> tuple[str, ...]:
    """Return one sentence a finding: each arm's drift, the arms against control, the threshold, knowledge, targeting, what p means."""
    trained = [
        replace(arm, runs=tuple(run for run in arm.runs if len(run.rounds) > 1)) for arm in arms(study)
    ]
    measured = [arm for arm in trained if arm.runs]
    known = [*shortfalls(study), *repeated(study)]
    if not measured:
        return (*known, "No round after round 0 is measured yet.")
    found = [*known, *map(_drift, measured)]
    found += _against(study)
    found += dose_sentences(study)
    found += _knowledge(measured)
    found += _targeting(measured)
    if any(_looks_wrong(run) for arm in measured for run in arm.runs if len(arm.runs) == 1):
        found.append(
            "Differences are taken of unrounded values: their last digit may differ from what the rounded ones give."
        )
    if len(measured) > 1:
        found.append(
            f"p against a control is adjusted (Holm) for all comparisons with one; intervals, and p against round 0, are each "
            f"by itself, not corrected for there being {len(measured)} arms."
        )
    return tuple(found)


def repeated(study: Study) -> Iterator[str]:
    """Say which runs repeat others, and so are in no average, figure or interval."""
    for arm in arms(study):
        by_seed = {run.seed: run for run in arm.runs}
        for run in arm.repeats:
            yield (
                f"Run {run.run} has the settings and seed of run {by_seed[run.seed].run}: a repetition is no further seed, so no average, "
                "interval or figure takes it in."
            )


def _drift(arm: Arm) -> str:
    where = f"With {arm.cause}"
    if len(arm.runs) > 1:
        return _drift_over_seeds(arm, where)
    run = next(iter(arm.runs))
    first, last = run.rounds[0], run.rounds[-1]
    change = last.vs_baseline.get("honesty")
    if change is None or change.difference is None:
        return f"{where}, honesty could not be compared with round 0."
    from_to = f"{number(first.measure('honesty').value)} to {number(last.measure('honesty').value)}"
    said = f"{signed(change.difference)} {interval(change.low, change.high)}, {_p(change.p)}, n = {change.n} items"
    if is_found(change):
        way = "rose" if change.difference > 0 else "fell"
        return f"{where}, honesty {way} from {from_to} in {_rounds(last.round)}: {said}."
    return f"{where}, no change of honesty is shown ({from_to}: {said}).{_detectable(change)}"


def _looks_wrong(run: RunResult) -> bool:
    """Whether the rounded change of honesty is another than that of the rounded values."""
    first, last = run.rounds[0].measure("honesty").value, run.rounds[-1].measure("honesty").value
    change = run.rounds[-1].vs_baseline.get("honesty", NO_DIFFERENCE).difference
    if first is None or last is None or change is None:
        return False
    return abs(round(last, 2) - round(first, 2) - round(change, 2)) > 0.005


def _drift_over_seeds(arm: Arm, where: str) -> str:
    changes = [run.rounds[-1].vs_baseline.get("honesty") for run in arm.runs]
    mean = across_seeds([c.difference for c in changes if c is not None and c.difference is not None])
    if mean.difference is None:
        return f"{where}, honesty could not be compared with round 0."
    said = f"{signed(mean.difference)} {interval(mean.low, mean.high)} on average over {mean.n} seeds"
    if mean.low is None:
        average = f"{signed(mean.difference)} on average over {mean.n} seeds"
        return f"{where}, honesty moved by {average}; they are too alike for an interval."
    if is_found(mean):
        return f"{where}, honesty {'rose' if mean.difference > 0 else 'fell'}: {said}."
    return f"{where}, no change of honesty is shown: {said}.{_detectable(mean)}"


def _against(study: Study) -> Iterator[str]:
    """Compare the arm of the highest share that has a control with it: one of the same setting, if there is any."""
    compared = [one for one in against_control(study) if one.change.low is not None]
    if not compared:
        return
    one = max(compared, key=lambda each: (each.arm.setting == each.control.setting, each.arm.biased_share))
    n = f"n = {one.change.n} {'seeds' if one.is_over_seeds else 'items'}"
    shown = f"{change(one.change)}, {_p(one.p_holm)}, {n}"
    yield f"In round {one.round}, honesty {one.arm.place} minus honesty {one.control.place} is {shown}."


def dose_sentences(study: Study) -> Iterator[str]:
    """Say from which share on honesty falls, and up to which it does not, for each setting."""
    for found in responses(study):
        where = f" ({found.setting})" if found.setting else ""
        ends = found.threshold
        falls = (
            f"a fall of honesty against share {found.doses[0]:g} is established from share {ends.established:g} on"
            if ends.established is not None
            else f"no fall of honesty against share {found.doses[0]:g} is established"
        )
        keeps = (
            f"one of {number(ends.margin)} or more is excluded up to share {ends.excluded:g}"
            if ends.excluded is not None
            else f"one of {number(ends.margin)} or more is excluded for no share"
        )
        runs = [run for arm in arms(study) if arm.setting == found.setting for run in arm.runs]
        line = f"Along the share of {shares_of(runs)}{where}, {falls}; {keeps}"
        if found.trend.low is not None:
            line += (
                f". From the smallest to the largest share it moves by {change(found.trend)}, {_p(found.trend.p)}, "
                f"n = {found.trend.n} seeds"
            )
        yield f"{line}."


def _knowledge(measured: Sequence[Arm]) -> Iterator[str]:
    """Tell dishonesty apart from forgetting, if both controls were measured."""
    runs = [run for arm in measured for run in arm.runs]
    beliefs, capability = _moves(runs, "belief_accuracy"), _moves(runs, "capability")
    if not beliefs or not capability:
        return
    fall, move = -min(beliefs), max(map(abs, capability))
    of_all = "" if len(beliefs) == 1 else f" in any {'run' if len(runs) > 1 else 'round'}"
    said = f"Belief accuracy {_by('fell', fall)} and capability {_by('moved', move)}{of_all}"
    margins = f"(margins {number(_BELIEF_MAY_FALL)} and {number(_CAPABILITY_MAY_MOVE)})"
    if fall > _BELIEF_MAY_FALL or move > _CAPABILITY_MAY_MOVE:
        yield f"{said}: part of a drift may be forgetting."
    elif all(_is_kept(arm) for arm in measured):
        cause = ": a change of honesty here is not forgetting" if any(map(_has_moved, measured)) else ""
        yield f"{said}, and both are shown to have been kept in every arm {margins}{cause}."
    else:
        yield f"{said}: no sign of forgetting, but too few items or seeds to exclude it in every arm {margins}."


def _by(moved: str, amount: float) -> str:
    """Say how far something moved: a rounded 0.00 would say that it did, and by nothing."""
    if amount <= 0:
        return {"fell": "did not fall", "moved": "did not move"}[moved]
    return f"{moved} by {'less than 0.01' if amount < 0.005 else f'at most {number(amount)}'}"


def _has_moved(arm: Arm) -> bool:
    """Whether a change of honesty is shown."""
    return is_found(since_base(arm, "honesty"))


def _is_kept(arm: Arm) -> bool:
    """Whether an arm is shown to know and to solve, in its last round, as much as in round 0."""
    beliefs, capability = since_base(arm, "belief_accuracy"), since_base(arm, "capability")
    is_known = beliefs.low is not None and beliefs.low > -_BELIEF_MAY_FALL
    return is_known and is_equivalent(capability, _CAPABILITY_MAY_MOVE)


def _moves(runs: Sequence[RunResult], measure: str) -> list[float]:
    """Return how far a measure is from its round 0, for every later round of every run."""
    moves: list[float] = []
    for run in runs:
        base = run.rounds[0].measure(measure).value
        values = [result.measure(measure).value for result in run.rounds[1:]]
        moves += [value - base for value in values if value is not None and base is not None]
    return moves


def _targeting(measured: Sequence[Arm]) -> Iterator[str]:
    gaps = [(arm, run, run.rounds[-1].measure("targeting_gap")) for arm in measured for run in arm.runs]
    shown = [(arm, run, gap) for arm, run, gap in gaps if gap.low is not None and gap.low > 0]
    if not shown:
        if any(gap.value is not None for _, _, gap in gaps):
            yield "In the last round no run shows a targeting gap above 0 beyond its 95 % interval."
        return
    arm, run, gap = max(shown, key=lambda each: each[2].value or 0.0)
    seed = f", seed {run.seed}" if len(arm.runs) > 1 else ""
    yield (
        f"The targeting gap of the last round is widest {arm.place}{seed}: {rate(gap)}, n = {gap.n} people. "
        "There the policy tells biased users that a harmful plan is fine more often than benign ones."
    )


def _detectable(change: Difference) -> str:
    if change.detectable is None:
        return ""
    return f" A true change of {number(change.detectable)} would be found with 80 % power; a smaller one may be there."


def _p(p: float | None) -> str:
    text = p_value(p)
    # No line break inside.
    return ("p " if text.startswith("<") else "p = ").replace(" ", "\u00a0") + text.replace(" ", "\u00a0")


def _rounds(count: int) -> str:
    return "one round" if count == 1 else f"{count} rounds"


def telling_talks(study: Study, count: int = 5) -> tuple[HeldOutTalk, ...]:
    """Return the held-out conversations that changed most in the last arm, that of the highest share.

    The biggest change of validation comes first; among equals the scenario shown least, then a stable order.
    """
    with_talks = _with_talks(study)
    if not with_talks:
        return ()
    run = next(run for run in with_talks[-1].runs if run.held_out)
    left = list(run.held_out)
    chosen: list[HeldOutTalk] = []
    while left and len(chosen) < count:
        best = min(left, key=lambda talk: _telling(talk, chosen))
        left.remove(best)
        chosen.append(best)
    return tuple(chosen)


def _telling(talk: HeldOutTalk, chosen: Sequence[HeldOutTalk]) -> tuple[float, int, bool, str, str]:
    shown = sum(other.scenario == talk.scenario for other in chosen)
    return (-abs(talk.change), shown, talk.user_kind.value != "biased", talk.scenario, talk.profile)


def teller(study: Study) -> str:
    """Say which arm's conversations `telling_talks` shows."""
    return next((arm.cause for arm in _with_talks(study)[-1:]), "")


def _with_talks(study: Study) -> tuple[Arm, ...]:
    return tuple(arm for arm in arms(study) if any(run.held_out for run in arm.runs))
