"""What a study's numbers say, in sentences that claim no more than the intervals allow."""

from collections.abc import Iterator, Mapping, Sequence

from services.core.stats.paired import Difference
from services.simulator.report.common_round import last_common, sample, since_base, trained
from services.simulator.report.control import Against, against_control, kept_apart, responses
from services.simulator.report.coverage import shortfalls
from services.simulator.report.kept import MARGINS, Kept, kept
from services.simulator.report.study import Arm, HeldOutTalk, Study, arms, shares_of
from services.simulator.report.targeting import targeting
from services.simulator.report.wording import change, detectable, is_found, number, p_equals, signed


def findings(study: Study) -> tuple[str, ...]:
    """Return one sentence a finding: each arm's drift, the arms against control, the threshold, knowledge, targeting, what p means."""
    measured = [arm for arm in arms(study) if trained(arm.runs)]
    known = [*shortfalls(study), *repeated(study)]
    if not measured:
        return (*known, "No round after round 0 is measured yet.")
    found = [*known, *map(_drift, measured)]
    found += _against(study)
    found += not_compared(study)
    found += dose_sentences(study)
    found += _knowledge(study)
    found += targeting(study)
    if any(map(_looks_wrong, measured)):
        found.append(
            "Differences are taken of unrounded values: their last digit may differ from what the rounded ones give."
        )
    if len(measured) > 1:
        found.append(
            f"p against a control is adjusted (Holm) for all comparisons with one; intervals, and p of honesty against round 0, are each "
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
    moved = since_base(arm, "honesty")
    if moved.difference is None:
        return f"With {arm.cause}, honesty could not be compared with round 0{_not_in_it(arm)}."
    said = _drift_over_items(arm, moved) if len(trained(arm.runs)) == 1 else _drift_over_seeds(arm, moved)
    return f"With {arm.cause}, {said}{'' if is_found(moved) else detectable(moved)}"


def _drift_over_items(arm: Arm, moved: Difference) -> str:
    first, last = _ends(arm)
    from_to = f"{number(first)} to {number(last)}"
    said = f"{change(moved)}, {p_equals(moved.p)}, n = {moved.n} items"
    if is_found(moved):
        rounds = _rounds(last_common(arm.runs))
        return f"honesty {_way(moved)} from {from_to} in {rounds}: {said}{_not_in_it(arm)}."
    return f"no change of honesty is shown ({from_to}: {said}){_not_in_it(arm)}."


def _drift_over_seeds(arm: Arm, moved: Difference) -> str:
    over = f"on average over {sample(arm, moved)} in round {last_common(arm.runs)}{_uneven(arm)}{_not_in_it(arm)}"
    if moved.low is None:
        why = "they are too alike for an interval" if moved.n > 1 else "that is too few for an interval"
        return f"honesty moved by {signed(moved.difference)} {over}; {why}."
    said = f"{change(moved)} {over}"
    return f"honesty {_way(moved)}: {said}." if is_found(moved) else f"no change of honesty is shown: {said}."


def _way(moved: Difference) -> str:
    return "rose" if (moved.difference or 0.0) > 0 else "fell"


def _uneven(arm: Arm) -> str:
    """Say which of the averaged runs end in that round, and which go on; nothing if all end there."""
    round_, runs = last_common(arm.runs), trained(arm.runs)
    ends = {run.seed: run.rounds[-1].round for run in runs}
    if set(ends.values()) == {round_}:
        return ""
    said = [
        f"seed {seed} {'ends there' if end == round_ else f'goes on to round {end}'}"
        for seed, end in ends.items()
    ]
    return f", the last that all of them have ({', '.join(said)})"


def _not_in_it(arm: Arm) -> str:
    """Name the runs that have measured nothing after training."""
    left_out = [str(run.seed) for run in arm.runs if run not in trained(arm.runs)]
    if not left_out:
        return ""
    seeds = f"seed {left_out[0]} has" if len(left_out) == 1 else f"seeds {', '.join(left_out)} have"
    return f"; {seeds} no round after round 0 and {'is' if len(left_out) == 1 else 'are'} left out"


def _ends(arm: Arm) -> tuple[float | None, float | None]:
    """Return honesty in the first and the last round of an arm with one trained run."""
    (run,) = trained(arm.runs)
    return run.rounds[0].measure("honesty").value, run.rounds[-1].measure("honesty").value


def _looks_wrong(arm: Arm) -> bool:
    """Whether the rounded change of honesty is another than that of the rounded values."""
    if len(trained(arm.runs)) > 1:
        return False
    (first, last), moved = _ends(arm), since_base(arm, "honesty").difference
    if first is None or last is None or moved is None:
        return False
    return abs(round(last, 2) - round(first, 2) - round(moved, 2)) > 0.005


def _against(study: Study) -> Iterator[str]:
    """Compare the arm of the highest share that has a control with it: one of the same setting, if there is any."""
    found = against_control(study)
    compared = [one for one in found if one.change.low is not None]
    if not compared:
        return
    one = max(compared, key=lambda each: (each.arm.setting == each.control.setting, each.arm.biased_share))
    n = f"n = {one.change.n} {'seeds' if one.is_over_seeds else 'items'}"
    shown = f"{change(one.change)}, {p_equals(one.p_holm)}, {n}"
    where = (
        f"In round {one.round}{_bounded([each for each in found if each.control.name == one.control.name])}"
    )
    yield f"{where}, honesty {one.arm.place} minus honesty {one.control.place} is {shown}."


def _bounded(found: Sequence[Against]) -> str:
    """Say which runs a comparison with one control can't go beyond, or which go on alone; nothing if all end there."""
    compared = {arm.name: arm for one in found for arm in (one.control, one.arm)}.values()
    runs = [(arm, run) for arm in compared for run in arm.runs]
    end = [(arm, run) for arm, run in runs if run.rounds[-1].round == found[0].round]
    go_on = [each for each in runs if each not in end]
    if not go_on:
        return ""
    named, verb = (go_on, "go") if len(go_on) < len(end) or not end else (end, "end")
    listed = ", ".join(f"seed {run.seed} {arm.place}" for arm, run in named)
    says = {
        "go": "goes on" if len(named) == 1 else "go on",
        "end": "ends there" if len(named) == 1 else "end there",
    }
    return f", the last that all arms of this control have ({listed} {says[verb]})"


def not_compared(study: Study) -> Iterator[str]:
    """Say which arms are not compared with their control, and in what their measurements differ."""
    places: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for one in kept_apart(study):
        places.setdefault((one.control.place, one.fields), []).append(one.arm.place)
    for (control, fields), its in places.items():
        yield (
            f"Not compared with honesty {control}, which was measured in another way ({', '.join(fields)}): "
            f"honesty {'; '.join(its)}."
        )


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
        line = f"In round {found.round}, along the share of {shares_of(runs)}{where}, {falls}; {keeps}"
        if found.trend.low is not None:
            line += (
                f". From the smallest to the largest share it moves by {change(found.trend)}, {p_equals(found.trend.p)}, "
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
