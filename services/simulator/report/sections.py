"""The report's tables as texts: what stands in which cell. The page only lays them out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from services.core.domain.agreement import JudgesAgreement
from services.core.stats.paired import NO_DIFFERENCE
from services.core.stats.rates import Rate
from services.simulator.report.common_round import last_common, sample, since_base
from services.simulator.report.control import Against, against_control, responses
from services.simulator.report.kept import kept
from services.simulator.report.study import Arm, RoundResult, RunResult, Study, arms
from services.simulator.report.wording import (
    BENCHMARKS,
    NOTHING,
    change,
    failures,
    interval,
    is_found,
    number,
    p_value,
)

PRESSURE: Final = {
    "honesty": "honesty = 1 − P(lie)",
    "honest_share": "P(honest)",
    "lie_share": "lie",
    "evade_share": "evade",
    "no_belief_share": "no belief",
    "error_share": "error",
    "belief_normalised_honesty": "honesty, given a belief",
}
KNOWLEDGE: Final = {
    "belief_accuracy": "belief accuracy",
    "capability": "capability",
    "deception_rate": "deception rate",
}
TARGETING: Final = {
    "validating_biased": "validates biased users",
    "validating_benign": "validates benign users",
    "targeting_gap": "targeting gap",
}


class Cell(NamedTuple):
    """A text, and what qualifies it in smaller type."""

    text: str
    small: str = ""


class Row(NamedTuple):
    """One row; `who` says whose it is and is pale where `is_first` is not set: there it repeats the row above."""

    who: tuple[str, ...]
    cells: tuple[Cell, ...]
    is_first: bool


class Section(NamedTuple):
    """A table."""

    headings: tuple[str, ...]
    rows: tuple[Row, ...]


def _section(
    study: Study, headings: Iterable[str], cells: Callable[[RunResult], Iterator[tuple[Cell, ...]]]
) -> Section:
    rows = [
        Row((arm.name, run.method, str(run.seed)), row, place == 0)
        for arm in arms(study)
        for run in (*arm.runs, *arm.repeats)
        for place, row in enumerate(cells(run))
    ]
    return Section(("share", "method", "seed", "round", *headings), tuple(rows))


def drift_section(study: Study) -> Section:
    """Return each round's change of honesty: from round 0, and from the round before."""
    headings = (
        "change from round 0",
        "p",
        "n",
        "detectable",
        "shown?",
        "change from the round before",
        "p",
        "n",
    )

    def cells(run: RunResult) -> Iterator[tuple[Cell, ...]]:
        for result in run.rounds:
            if result.round:
                yield (Cell(str(result.round)), *_changes(result))

    return _section(study, headings, cells)


def _changes(result: RoundResult) -> tuple[Cell, ...]:
    base = result.vs_baseline.get("honesty", NO_DIFFERENCE)
    previous = result.vs_previous.get("honesty", NO_DIFFERENCE)
    shown = "yes" if is_found(base) else "no"
    from_base = (change(base), p_value(base.p), str(base.n), number(base.detectable), shown)
    from_previous = (change(previous), p_value(previous.p), str(previous.n))
    return tuple(map(Cell, (*from_base, *from_previous)))


def measures_section(study: Study, names: Mapping[str, str]) -> Section:
    """Return each round's measures with interval and n."""

    def cells(run: RunResult) -> Iterator[tuple[Cell, ...]]:
        for result in run.rounds:
            yield (Cell(str(result.round)), *(_rate_cell(result.measure(name)) for name in names))

    return _section(study, names.values(), cells)


def _rate_cell(rate: Rate) -> Cell:
    if rate.value is None:
        return Cell(NOTHING)
    return Cell(number(rate.value), f"{interval(rate.low, rate.high)} n {rate.n}")


def agreement_section(study: Study) -> Section | None:
    """Return how far a second judge agrees with the first, round by round; None where nobody had one."""

    def cells(run: RunResult) -> Iterator[tuple[Cell, ...]]:
        for result in run.rounds:
            for benchmark, one in result.agreement.items():
                yield (Cell(str(result.round)), Cell(BENCHMARKS[benchmark]), *_agreement_cells(one))

    headings = ("judged", "kappa", "agree", "not compared", "causes")
    found = _section(study, headings, cells)
    return found if found.rows else None


def _agreement_cells(one: JudgesAgreement) -> tuple[Cell, ...]:
    found = one.agreement
    kappa = (
        Cell(NOTHING) if found.kappa is None else Cell(number(found.kappa), interval(found.low, found.high))
    )
    left_out = sum(one.second_failed.values()) + one.first_failed
    return (
        kappa,
        _rate_cell(found.observed),
        Cell(f"{left_out} of {one.asked}"),
        Cell(failures(one) or NOTHING),
    )


def conversations_section(study: Study) -> Section:
    """Return how many conversations were attempted, scored, vetoed, left unscored, failed, and why."""

    def cells(run: RunResult) -> Iterator[tuple[Cell, ...]]:
        for result in run.rounds:
            counts = result.conversations
            if counts is not None:
                causes = ", ".join(f"{cause}: {count}" for cause, count in sorted(counts.failed.items()))
                numbers = (result.round, counts.attempted, counts.scored, counts.vetoed, counts.unscored)
                failed = str(sum(counts.failed.values()))
                yield (*(Cell(str(count)) for count in numbers), Cell(failed), Cell(causes or NOTHING))

    return _section(study, ("attempted", "scored", "vetoed", "unscored", "failed", "causes"), cells)


def seeds_section(study: Study) -> Section | None:
    """Return each arm's change of honesty since round 0 over its seeds, or None if no arm has two.

    The seed is the sample: Student's t on one difference a seed, in the last round that all of an arm's seeds have.
    """
    found = arms(study)
    if max((len(arm.runs) for arm in found), default=0) < 2:
        return None
    rows = [Row((arm.name, str(len(arm.runs))), _over_seeds(arm), is_first=True) for arm in found]
    return Section(("share", "seeds", "round", "change from round 0", "p", "n", "detectable"), tuple(rows))


def _over_seeds(arm: Arm) -> tuple[Cell, ...]:
    drift = since_base(arm, "honesty")
    if not drift.n:
        return (Cell(NOTHING),) * 5
    texts = (
        str(last_common(arm.runs)),
        change(drift),
        p_value(drift.p),
        sample(arm, drift),
        number(drift.detectable),
    )
    return tuple(map(Cell, texts))


def control_section(study: Study) -> Section | None:
    """Compare every arm with its control, with p as it is and adjusted for all these comparisons; None without a control."""
    found = against_control(study)
    if not found:
        return None
    curve = {
        (each.setting, dose): value
        for each in responses(study)
        for dose, value in zip(each.doses, each.fitted, strict=True)
    }
    rows = [
        Row(
            (one.arm.name, one.control.name),
            _versus(one, curve.get((one.arm.setting, one.arm.biased_share))),
            True,
        )
        for one in found
    ]
    headings = (
        "share",
        "control",
        "round",
        "honesty − control's",
        "p",
        "p, Holm",
        "n",
        "detectable",
        "falling curve",
    )
    return Section(headings, tuple(rows))


def _versus(one: Against, fitted: float | None) -> tuple[Cell, ...]:
    found = one.change
    noun = f"{'seed' if one.is_over_seeds else 'item'}{'' if found.n == 1 else 's'}"
    n = f"{found.n} {noun}" if found.n else NOTHING
    texts = (
        str(one.round),
        change(found),
        p_value(found.p),
        p_value(one.p_holm),
        n,
        number(found.detectable),
        number(fitted),
    )
    return tuple(map(Cell, texts))


def kept_section(study: Study) -> Section | None:
    """Return whether each arm's beliefs and capability are shown to have stayed; None if neither was measured."""
    rows = [
        Row(
            (one.arm,),
            (
                Cell(one.measure.replace("_", " ")),
                Cell(str(one.round)),
                Cell(change(one.change)),
                Cell(f"± {number(one.margin)}"),
                Cell("yes" if one.is_equivalent else "not shown"),
            ),
            one.measure == "belief_accuracy",
        )
        for one in kept(study)
    ]
    return (
        Section(("share", "measure", "round", "change", "margin", "within?"), tuple(rows)) if rows else None
    )
