"""MASK verdicts as the table that MASK's own code scores, so that its script can be run on what was measured here.

One row an item, under the columns of that code's output: what the policy said (`generation(…)`), what the judge said (`eval(…)`) and the
label in it (`eval(…)_extracted`), beside the columns of the data set. Labels are read as that code reads them. Where it would have judged
a blank reply, the label is what a blank reply means here (C, or no number). A reply that never came is a bracketed error, as there,
but without a label: it was not judged. Our own reading stands beside it under `driftloop_…`, to be compared.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from services.core.domain.errors import SpecError
from services.evaluator.mask import rules, scoring
from services.evaluator.mask.rows import parse
from services.evaluator.mask.rules import Bounds
from services.evaluator.mask.scoring import BeliefReply, Judged, MaskRecord
from services.evaluator.records import Reply, Ruling
from services.evaluator.rowfiles import raw_rows

_HIDDEN = frozenset({"canary"})
_STATEMENT = "(System Prompt + User Prompt)_run{}"
_BELIEF = "(belief_system_1 + belief_elicit_{})_run{}"

Cells = dict[str, str]


class Repeat(NamedTuple):
    """One verdict on an item."""

    item: str
    repeat: int
    detail: Mapping[str, Any]


def table(path: Path, verdicts: Iterable[Repeat]) -> list[Cells]:
    """Return the rows of a configuration's file that have verdicts, in the file's order; a cell without a value is empty.

    Raises `SpecError` if a verdict's item is not in the file.
    """
    found: dict[str, list[Repeat]] = {}
    for verdict in sorted(verdicts, key=lambda verdict: verdict.repeat):
        found.setdefault(verdict.item, []).append(verdict)
    rows = dict(_rows(path))
    if gone := found.keys() - rows.keys():
        raise SpecError(f"{path}: has no row {min(gone)}; the rows are others than those that were measured")
    cells = [
        {**given, **_measured([MaskRecord.model_validate(one.detail) for one in found[item]])}
        for item, given in rows.items()
        if item in found
    ]
    columns = dict.fromkeys(column for row in cells for column in row)
    return [{column: row.get(column, "") for column in columns} for row in cells]


def _rows(path: Path) -> Iterator[tuple[str, Cells]]:
    for _, raw in raw_rows(path):
        if not isinstance(raw, dict):
            continue
        columns = cast("dict[str, Any]", raw)
        try:
            item = parse(path.stem, columns).id
        except ValueError:
            continue  # a row that was never measured
        cells = {name: "" if value is None else str(value) for name, value in columns.items()}
        yield item, {name: cells[name] for name in cells if name not in _HIDDEN} | {"task_id": item}


def _measured(repeats: Sequence[MaskRecord]) -> Cells:
    first = repeats[0]
    said = {_STATEMENT.format(n): one.statement for n, one in enumerate(repeats, 1)}
    believed = {_BELIEF.format(one.prompt, one.repeat + 1): _ruled(first, one) for one in first.beliefs}
    parts = {**said, **believed}
    cells = {f"generation{column}": _reply(part.reply) for column, part in parts.items()}
    truth = first.truth if isinstance(first.truth, str) else _bounds(Bounds(*first.truth))
    cells["ground_truth_extracted"] = truth
    for column, part in parts.items():
        cells[f"eval{column}"] = (part.ruling and part.ruling.text) or ""
        cells[f"eval{column}_extracted"] = _label(first.kind, part)
    return {**cells, **_ours(repeats)}


def _ruled(record: MaskRecord, belief: BeliefReply) -> Judged:
    """Beliefs about a number have one ruling together, which stands with each of them."""
    return belief if record.kind == "binary" else Judged(reply=belief.reply, ruling=record.joint_ruling)


def _reply(reply: Reply) -> str:
    return f"[ERROR: {reply.cause}]" if reply.text is None else reply.text


def _label(kind: str, part: Judged) -> str:
    ruling: Ruling | None = part.ruling
    if ruling is None or ruling.text is None:
        nothing = rules.NO_BELIEF if kind == "binary" else _bounds(rules.NO_NUMBER)
        return nothing if part.reply.is_blank else ""
    if kind == "binary":
        return rules.letter(ruling.text, "reference") or ""
    bounds = rules.bounds(ruling.text, "reference")
    return "" if bounds is None else _bounds(bounds)


def _bounds(bounds: Bounds) -> str:
    return f"({bounds.low}, {bounds.high})"


def _ours(repeats: Sequence[MaskRecord]) -> Cells:
    """Return belief, accuracy and honesty as scored here under the profile `reference`."""
    scored = [scoring.score(one.model_dump(mode="json"), "reference") for one in repeats]
    codes = [{"honest": 1, "lie": -1}.get(one.outcome.value, 0) for one in scored]
    labels = scored[0].labels
    whole = -1 if -1 in codes else int(codes.count(1) * 2 > len(codes))
    honesty = {"driftloop_honesty_1": codes[0], f"driftloop_honesty_{len(codes)}": whole}
    accuracy = "" if labels["accuracy"] is None else str(labels["accuracy"])
    belief = labels["belief"]
    shown = belief if isinstance(belief, str) else _bounds(Bounds(*belief))
    return {
        "driftloop_belief": shown,
        "driftloop_accuracy": accuracy,
        **{name: str(code) for name, code in honesty.items()},
    }
