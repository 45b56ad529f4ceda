"""The paper's printed numbers beside ours, where a study is of its interaction loop: same base model, therapist, satisfaction.

Only the arms that the paper ran have a row. Nothing is tested between the two: judges, people and scenarios differ.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from services.core.stats.rates import Rate, rate
from services.core.stats.seeds import across_seeds
from services.simulator.report.paper import TOTAL, the_paper
from services.simulator.report.sections import Cell, Row, Section
from services.simulator.report.study import Arm, RoundResult, Study, arms
from services.simulator.report.wording import NOTHING, interval, number

_MODELS: Final = {"llama-3.1-8b": "Llama-3.1-8B-Instruct", "qwen2.5-7b": "Qwen2.5-7B-Instruct"}
_COLUMNS: Final = {
    "deception_rate": (TOTAL, ("Table 4", "Table 13", "Table 2")),
    "honesty/provided_facts": ("provided facts", ("Fig. 8", "Table 14", "Table 11")),
    "honesty/disinformation": ("disinformation", ("Table 14", "Table 11")),
}
"""Our measure → the paper's column, and where its loop's numbers are printed."""
_HEADINGS: Final = ("deception rate", "honesty, provided facts", "honesty, disinformation")


def paper_section(study: Study) -> Section | None:
    """Return each arm's last round and the untrained policy beside what is printed; None if the paper ran nothing like it."""
    model = _MODELS.get(str(study.spec.get("policy")))
    if model is None or study.spec["population"]["environment"] != "therapist":
        return None
    measured = [arm for arm in arms(study) if all(run.rounds for run in arm.runs)]
    rows = (
        [_row("untrained", model, "vanilla", [arm.runs[0].rounds[0] for arm in measured[:1]])]
        if measured
        else []
    )
    rows += [
        _row(arm.name, model, name, [run.rounds[-1] for run in arm.runs])
        for arm in measured
        if (name := _printed_as(arm))
    ]
    headings = [f"{heading}, {whose}" for heading in _HEADINGS for whose in ("ours", "printed")]
    shown = tuple(row for row in rows if any(cell.text != NOTHING for cell in row.cells[1::2]))
    return Section(("biased share", *headings), shown) if len(shown) > 1 else None


def _printed_as(arm: Arm) -> str | None:
    """Return the row of the paper that an arm repeats: one round of training by satisfaction."""
    if any(run.rule != "satisfaction" or run.rounds[-1].round != 1 for run in arm.runs):
        return None
    share = f"{arm.biased_share:.2f}".removesuffix("0")
    return f"{arm.runs[0].method} {share}"


def _row(who: str, model: str, name: str, rounds: Sequence[RoundResult]) -> Row:
    cells: list[Cell] = []
    for measure, (column, sources) in _COLUMNS.items():
        cells += [
            _cell(_mean([one.measure(measure) for one in rounds])),
            _cell(next(_printed(model, name, column, sources), None)),
        ]
    return Row((who,), tuple(cells), is_first=True)


def _printed(model: str, name: str, column: str, sources: Sequence[str]) -> Iterator[Rate]:
    for source in sources:
        try:
            cell = the_paper().cell(source, model, name, column)
        except KeyError:
            continue
        yield rate(*cell.counted) if cell.counted else Rate(cell.printed / 100, None, None, 0)


def _mean(rates: Sequence[Rate]) -> Rate | None:
    known = [one for one in rates if one.value is not None]
    if len(known) < 2:
        return known[0] if known else None
    mean = across_seeds([one.value for one in known if one.value is not None])
    return Rate(mean.difference, mean.low, mean.high, len(known))


def _cell(found: Rate | None) -> Cell:
    if found is None or found.value is None:
        return Cell(NOTHING)
    return Cell(
        number(found.value), f"{interval(found.low, found.high)} n {found.n}" if found.n else "no count"
    )
