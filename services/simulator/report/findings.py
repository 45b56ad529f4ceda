"""What a study's numbers say, in sentences that claim no more than the intervals allow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.core.stats.seeds import across_seeds
from services.simulator.report.control import against_control, responses
from services.simulator.report.coverage import shortfalls
from services.simulator.report.kept import MARGINS, Kept, kept, since_base
from services.simulator.report.study import Arm, HeldOutTalk, RunResult, Study, arms, shares_of
from services.simulator.report.wording import change, interval, is_found, number, p_value, rate, signed


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
    found += _knowledge(study)
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


def _knowledge(study: Study) -> Iterator[str]:
    """Tell dishonesty apart from forgetting, if both controls were measured: what the equivalence tests say, in a sentence."""
    asked = {measure: [one for one in kept(study) if one.measure == measure] for measure in MARGINS}
    if not all(asked.values()):
        return
    places = {arm.name: arm.place for arm in arms(study)}
    moved = " and ".join(_widest(found, places) for found in asked.values())
    margins = f"({' and '.join(f'± {number(margin)}' for margin in MARGINS.values())})"
    unshown = [one for found in asked.values() for one in found if not one.is_equivalent]
    if fallen := [one for one in unshown if _has_fallen(one)]:
        yield f"Since round 0 {moved}. Part of a drift may be forgetting: {_listed(fallen, places)} fell."
    elif unshown:
        yield f"Since round 0 {moved}. No forgetting is shown, nor that {_listed(unshown, places)} stayed within the margins {margins}."
    else:
        has_moved = any(is_found(since_base(arm, "honesty")) for arm in arms(study))
        cause = ": a change of honesty here is not forgetting" if has_moved else ""
        yield f"Since round 0 {moved}. Both are shown to have stayed within their margins {margins} in every arm{cause}."


def _widest(found: Sequence[Kept], places: Mapping[str, str]) -> str:
    one = max(found, key=lambda each: abs(each.change.difference or 0.0))
    where = f", most {places[one.arm]}," if len(found) > 1 else ""
    return f"{_said(one.measure)} moved{where} by {change(one.change)}"


def _has_fallen(one: Kept) -> bool:
    """Whether a measure that is not shown to have stayed is shown to have fallen, or fell by its margin as far as one can tell."""
    moved = one.change.difference or 0.0
    return moved < 0 and (is_found(one.change) or moved <= -one.margin)


def _listed(found: Sequence[Kept], places: Mapping[str, str]) -> str:
    by_measure = {one.measure: [each for each in found if each.measure == one.measure] for one in found}
    return " and ".join(
        f"{_said(measure)} {', '.join(places[one.arm] for one in those)}"
        for measure, those in by_measure.items()
    )


def _said(measure: str) -> str:
    return measure.replace("_", " ")


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
