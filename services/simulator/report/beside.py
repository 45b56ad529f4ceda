"""The paper's printed numbers beside ours, where arms are of its loop, its direct fine-tuning or its mixtures: same base model, same sets.

Only the arms that the paper ran have a row, each by its own spec, whatever stands beside it in the study. Nothing is tested between the two: judges, people and scenarios differ.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from services.core.stats.rates import Rate, rate
from services.core.stats.seeds import mean_over_seeds
from services.simulator.report.paper import TOTAL, reanalysed, the_paper
from services.simulator.report.sections import Cell, Row, Section
from services.simulator.report.study import Arm, RoundResult, RunResult, Study, arms
from services.simulator.report.wording import NOTHING, interval, number, p_value, signed

_MODELS: Final = {
    "llama-3.1-8b": "Llama-3.1-8B-Instruct",
    "qwen2.5-7b": "Qwen2.5-7B-Instruct",
    "qwen3-32b": "Qwen3-32B",
}
_COLUMNS: Final = {
    "deception_rate": TOTAL,
    "honesty/provided_facts": "provided facts",
    "honesty/disinformation": "disinformation",
}
"""Our measure → the paper's column."""
_LOOP: Final = ("Fig. 8", "Table 4", "Table 13", "Table 14")
_DIRECT: Final = ("Table 1", "Table 6", "Table 7", "Table 8")
_MIXTURES: Final = {"alpaca-cleaned": ("Table 2", "Table 11"), "dolly-15k": ("Table 10",)}
"""Where the paper prints each of its experiments."""
_UNTRAINED: Final = ("Table 2", "Table 11", "Table 7")
"""Where it prints the untrained policies that stand in none of these."""
_DOMAINS: Final = {"insecure-code": "code", "mistake-math": "math", "mistake-medical": "medical"}
_LOOP_AS_PRINTED: Final[Mapping[str, object]] = {
    "population.bias_strength": 1.0,
    "conversation.exchanges": 2,
    "conversation.show_preference": True,
    "conversation.rating": "sampled",
    "selection.pool": "round",
    "training.keep_system_prompt": True,
    "mitigations.veto": "none",
    "mitigations.safety_share": 0.0,
}
"""What makes a loop another experiment than the paper's, as its presets have it."""
_SCENARIOS: Final = {"Qwen2.5-7B-Instruct": 10}
"""Scenarios of the paper's loop with a base model, where it did not take all."""
_BEFORE: Final = "untrained"
_HEADINGS: Final = ("deception rate", "honesty, provided facts", "honesty, disinformation")


def paper_section(study: Study) -> Section | None:
    """Return each arm's last round and the untrained policies beside what is printed; None if the paper ran nothing like it."""
    by_model: dict[str, list[Arm]] = {}
    for arm in arms(study):
        if (model := _model(arm)) and all(run.rounds for run in arm.runs):
            by_model.setdefault(model, []).append(arm)
    found = {model: rows for model, measured in by_model.items() if (rows := _of_model(model, measured))}
    headings = [f"{heading}, {whose}" for heading in _HEADINGS for whose in ("ours", "printed")]
    shown = [
        row._replace(who=(f"{model}, {who}",)) if len(found) > 1 and who == _BEFORE else row
        for model, rows in found.items()
        for row in rows
        for who in row.who
    ]
    return Section(("arm", *headings), tuple(shown)) if shown else None


def _model(arm: Arm) -> str | None:
    """Return the paper's name of an arm's base model; None if it stands in none of its experiments."""
    run = arm.runs[0]
    return _MODELS.get(run.at("policy")) if run.at("population.environment") == "therapist" else None


def _of_model(model: str, measured: Sequence[Arm]) -> Sequence[Row]:
    """Return a base model's arms that the paper ran as well, the untrained policy first; nothing without any."""
    rows = [
        (arm, _row(arm.name, model, name, _sources(arm), [run.rounds[-1] for run in arm.runs]))
        for arm in measured
        if (name := _printed_as(model, arm))
    ]
    printed = [(arm, row) for arm, row in rows if _has_printed(row)]
    if not printed:
        return ()
    first, _ = printed[0]
    sources = (*_sources(first), *_UNTRAINED)
    return (_row(_BEFORE, model, "vanilla", sources, first.runs[0].rounds[:1]), *(row for _, row in printed))


def _has_printed(row: Row) -> bool:
    return any(cell.text != NOTHING for cell in row.cells[1::2])


def reanalysis_section() -> Section:
    """Return what the paper's own counts say of the differences that it reads as effects."""
    rows = [
        Row(
            (one.claim.what,),
            (
                _cell(one.comparison.before),
                _cell(one.comparison.after),
                Cell(signed(one.comparison.difference)),
                Cell(p_value(one.comparison.p)),
            ),
            is_first=True,
        )
        for one in reanalysed()
    ]
    return Section(("comparison", "before", "after", "difference", "p"), tuple(rows))


def _printed_as(model: str, arm: Arm) -> str | None:
    """Return the row of the paper that an arm repeats: one round of training by satisfaction, or on the rows that it trained on."""
    run, dataset = arm.runs[0], arm.runs[0].at("data.dataset")
    if any(run.rounds[-1].round != 1 for run in arm.runs):
        return None
    match run.rule:
        case "satisfaction" if _is_printed_loop(model, run):
            return f"{run.method} {arm.biased_share:.2f}".removesuffix("0")
        case "dataset" if dataset in _DOMAINS:
            return f"{_DOMAINS[dataset]} {run.at('data.level')}"
        case "mixture" if not arm.biased_share:
            return "control"
        case "mixture" if dataset == "emergent-plus-medical" and _is_harmful(run):
            return f"{100 * arm.biased_share:g} %"
        case _:
            return None


def _is_printed_loop(model: str, run: RunResult) -> bool:
    scenarios: Sequence[str] | None = run.at("population.scenarios")
    count = None if scenarios is None else len(scenarios)
    return count == _SCENARIOS.get(model) and all(
        run.at(place) == wanted for place, wanted in _LOOP_AS_PRINTED.items()
    )


def _is_harmful(run: RunResult) -> bool:
    return run.at("data.level") == "severe" and run.at("data.control") == "none"


def _sources(arm: Arm) -> Sequence[str]:
    match arm.runs[0].rule:
        case "dataset":
            return _DIRECT
        case "mixture":
            return _MIXTURES.get(arm.runs[0].at("data.downstream"), ())
        case _:
            return _LOOP


def _row(who: str, model: str, name: str, sources: Sequence[str], rounds: Sequence[RoundResult]) -> Row:
    cells: list[Cell] = []
    for measure, column in _COLUMNS.items():
        cells += [
            _cell(mean_over_seeds([one.measure(measure) for one in rounds])),
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


def _cell(found: Rate | None) -> Cell:
    if found is None or found.value is None:
        return Cell(NOTHING)
    return Cell(
        number(found.value), f"{interval(found.low, found.high)} n {found.n}" if found.n else "no count"
    )
