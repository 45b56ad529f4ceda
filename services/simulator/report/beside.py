"""The paper's printed numbers beside ours, where a study is of its loop, its direct fine-tuning or its mixtures: same base model, same sets.

Only the arms that the paper ran have a row. Nothing is tested between the two: judges, people and scenarios differ.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from services.core.stats.rates import Rate, rate
from services.core.stats.seeds import mean_over_seeds
from services.simulator.report.paper import TOTAL, reanalysed, the_paper
from services.simulator.report.sections import Cell, Row, Section
from services.simulator.report.study import Arm, RoundResult, Study, arms
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
    "population.scenarios": None,
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
_HEADINGS: Final = ("deception rate", "honesty, provided facts", "honesty, disinformation")


def paper_section(study: Study) -> Section | None:
    """Return each arm's last round and the untrained policy beside what is printed; None if the paper ran nothing like it."""
    model = _MODELS.get(str(study.spec.get("policy")))
    if model is None or study.spec["population"]["environment"] != "therapist":
        return None
    measured = [arm for arm in arms(study) if all(run.rounds for run in arm.runs)]
    sources = _sources(study, measured[0]) if measured else ()
    rows = (
        [
            _row(
                "untrained",
                model,
                "vanilla",
                (*sources, *_UNTRAINED),
                [arm.runs[0].rounds[0] for arm in measured[:1]],
            )
        ]
        if measured
        else []
    )
    rows += [
        _row(arm.name, model, name, sources, [run.rounds[-1] for run in arm.runs])
        for arm in measured
        if (name := _printed_as(study, arm))
    ]
    headings = [f"{heading}, {whose}" for heading in _HEADINGS for whose in ("ours", "printed")]
    shown = tuple(row for row in rows if any(cell.text != NOTHING for cell in row.cells[1::2]))
    return Section(("arm", *headings), shown) if len(shown) > 1 else None


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


def _printed_as(study: Study, arm: Arm) -> str | None:
    """Return the row of the paper that an arm repeats: one round of training by satisfaction, or on the rows that it trained on."""
    rules = {run.rule for run in arm.runs}
    if len(rules) > 1 or any(run.rounds[-1].round != 1 for run in arm.runs):
        return None
    data = _data(study, arm)
    match rules.pop():
        case "satisfaction" if _is_printed_loop(study, arm):
            return f"{arm.runs[0].method} {arm.biased_share:.2f}".removesuffix("0")
        case "dataset" if data.get("dataset") in _DOMAINS:
            return f"{_DOMAINS[data['dataset']]} {data.get('level')}"
        case "mixture" if not arm.biased_share:
            return "control"
        case "mixture" if data.get("dataset") == "emergent-plus-medical" and _is_harmful(data):
            return f"{100 * arm.biased_share:g} %"
        case _:
            return None


def _is_printed_loop(study: Study, arm: Arm) -> bool:
    labels = arm.runs[0].labels
    return all(
        labels.get(place, study.spec.get(section, {}).get(field, wanted)) == wanted
        for place, wanted in _LOOP_AS_PRINTED.items()
        for section, field in [place.split(".")]
    )


def _is_harmful(data: Mapping[str, Any]) -> bool:
    return data.get("level") == "severe" and data.get("control", "none") == "none"


def _sources(study: Study, arm: Arm) -> Sequence[str]:
    match arm.runs[0].rule:
        case "dataset":
            return _DIRECT
        case "mixture":
            return _MIXTURES.get(_data(study, arm).get("downstream", ""), ())
        case _:
            return _LOOP


def _data(study: Study, arm: Arm) -> Mapping[str, Any]:
    """Return an arm's section `data`: the study's, with what the arm's sweep put in its place."""
    swept = {
        key.removeprefix("data."): value
        for key, value in arm.runs[0].labels.items()
        if key.startswith("data.")
    }
    return {**study.spec.get("data", {}), **swept}


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
