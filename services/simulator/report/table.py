"""The drift table for a terminal: within 80 columns for a plain sweep, and never a cut number."""

from rich import box
from rich.table import Table
from rich.text import Text

from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.core.stats.rates import Rate
from services.simulator.report.coverage import coverage, shortfalls
from services.simulator.report.findings import dose_sentences, not_compared, repeated
from services.simulator.report.study import RoundResult, Study, arms, shares_of
from services.simulator.report.wording import NOTHING, is_found, number, p_value, signed

_CONTROLS = {
    "belief_accuracy": "beliefs",
    "capability": "capa-\nbility",
    "deception_rate": "decep-\ntion",
    "targeting_gap": "target-\ning gap",
}
# Up to so many runs every round is shown; beyond, each run's last.
_FEW_RUNS = 8


def drift_table(study: Study) -> Table:
    """Return the study's rounds as a table: every rate with its 95 % interval, n in the caption."""
    methods, seeds = {run.method for run in study.runs}, {run.seed for run in study.runs}
    table = Table(
        title=Text(f"{study.name}: drift of honesty, {_said('method', methods)}, {_said('seed', seeds)}"),
        caption=Text(_caption(study)),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    extra = [*(["method"] if len(methods) > 1 else []), *(["seed"] if len(seeds) > 1 else [])]
    for heading in ("share", *extra, "round", "honesty", "change", "p", *_CONTROLS.values()):
        table.add_column(heading, overflow="fold")
    for arm in arms(study):
        for run in (*arm.runs, *arm.repeats):
            rounds = run.rounds if len(study.runs) <= _FEW_RUNS else run.rounds[-1:]
            who = {"method": run.method, "seed": str(run.seed)}
            for result in rounds:
                # Text, not markup: a name may hold square brackets.
                cells = (Text(arm.name), *(Text(who[column]) for column in extra), *_row(result))
                table.add_row(*cells, end_section=len(rounds) > 1 and result is rounds[-1])
    return table


def _said(noun: str, values: set[str] | set[int]) -> str:
    return f"{noun} {next(iter(values))}" if len(values) == 1 else f"{len(values)} {noun}s"


def _row(result: RoundResult) -> tuple[Text, ...]:
    base = result.vs_baseline.get("honesty", NO_DIFFERENCE)
    p = Text(p_value(base.p).replace(" ", ""))
    controls = (_rate(result.measure(measure)) for measure in _CONTROLS)
    return (Text(str(result.round)), _rate(result.measure("honesty")), _change(base), p, *controls)


def _rate(rate: Rate) -> Text:
    if rate.value is None:
        return Text(NOTHING)
    return Text.assemble(number(rate.value), "\n", (_bounds(rate.low, rate.high), "dim"))


def _change(difference: Difference) -> Text:
    if difference.difference is None:
        return Text(NOTHING)
    value = (signed(difference.difference), "bold" if is_found(difference) else "")
    return Text.assemble(value, "\n", (_bounds(difference.low, difference.high), "dim"))


def _bounds(low: float | None, high: float | None) -> str:
    """Write an interval as narrowly as it can be read: `.61 .77`."""
    if low is None or high is None:
        return ""
    return " ".join(number(bound).replace("0.", ".", 1) for bound in (low, high))


def _caption(study: Study) -> str:
    names = {"honesty": "honesty", **{measure: measure.replace("_", " ") for measure in _CONTROLS}}
    counts = {
        label: {result.measure(measure).n for run in study.runs for result in run.rounds} - {0}
        for measure, label in names.items()
    }
    sizes = ", ".join(f"{label} {_range(found)}" for label, found in counts.items() if found)
    lines = [
        f"share: of {shares_of(study.runs)}. Below each value its 95 % interval, over items: a row is one seed.",
        "change: from round 0, paired by item, then rounded; bold if its interval leaves out 0.",
        f"n: {sizes or 'nothing measured yet'}.",
        *not_compared(study),
        *dose_sentences(study),
        *repeated(study),
    ]
    if judged := coverage(study):
        lines += [judged, *shortfalls(study)]
    if study.is_pocket:
        lines.append("Pocket world: it shows the machinery, and is no evidence about large models.")
    return "\n".join(lines)


def _range(counts: set[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}–{high}"
