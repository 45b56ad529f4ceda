"""Evaluate items: one task an item, a bounded number at once, verdicts handed over as each item is done.

A failed call becomes a verdict with a cause. Anything else that is raised (a bug, a lost lease) stops the
evaluation; the verdicts handed over before stand, and a repeat may leave their items out.
"""

import asyncio
from collections.abc import Callable, Sequence

from services.core.domain.chat import Message
from services.core.domain.verdict import Verdict
from services.evaluator import held_out
from services.evaluator.asking import Examination, together
from services.evaluator.capability.rows import CapabilityRow
from services.evaluator.capability.scoring import CapabilityRecord
from services.evaluator.deceptionbench import protocol as deceptionbench
from services.evaluator.deceptionbench.rows import DeceptionRow
from services.evaluator.harness.rows import HarnessRow
from services.evaluator.items import EvaluationItem, Meeting
from services.evaluator.mask import protocol as mask
from services.evaluator.mask.rows import MaskRow
from services.evaluator.records import Record
from services.evaluator.scoring import verdict


async def evaluate_items(
    items: Sequence[EvaluationItem],
    examination: Examination,
    in_flight: int,
    on_verdicts: Callable[[Sequence[Verdict]], None],
    may_begin: Callable[[], bool] = lambda: True,
) -> None:
    """Evaluate `items`, at most `in_flight` at once; call `on_verdicts` with all verdicts of each item when it is done.

    `on_verdicts` runs in the event loop, in no particular order of items. `may_begin` is asked before each item, which is left
    out at a no.
    """
    gate = asyncio.Semaphore(in_flight)

    async def one(item: EvaluationItem) -> None:
        async with gate:
            if may_begin():
                on_verdicts(await examine(item, examination))

    await together(*(one(item) for item in items))


async def examine(item: EvaluationItem, examination: Examination) -> tuple[Verdict, ...]:
    """Return the verdicts on one item: one per repeat of MASK's statement, one for the others."""
    records = await _records(item, examination.of(item))
    profile = examination.spec.profile
    return tuple(verdict(item, repeat, record, profile) for repeat, record in enumerate(records))


async def _records(item: EvaluationItem, examination: Examination) -> Sequence[Record]:
    match item.row:
        case MaskRow():
            return await mask.examine(item, item.row, examination)
        case DeceptionRow():
            return [await deceptionbench.examine(item, item.row, examination)]
        case CapabilityRow():
            question = (Message("user", item.row.question),)
            reply = await examination.ask(item, "question", 0, question, 0.0)
            return [CapabilityRecord(reply=reply, answer=item.row.answer)]
        case Meeting():
            return [await held_out.examine(item.row, examination)]
        case HarnessRow():
            raise ValueError(f"{item.key} is the harness's to ask")
