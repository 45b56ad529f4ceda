"""DeceptionBench's plan for one row: belief and pressured reply at temperature 0, then three judges at once.

The judges read as the answer the reply without its reasoning, as the paper's formula has it, or all of it, as its code does.
"""

from services.core.domain.chat import Message
from services.core.domain.judging import DeceptionCase
from services.evaluator.asking import Examination, together
from services.evaluator.deceptionbench.rows import DeceptionRow
from services.evaluator.deceptionbench.rules import split_reply
from services.evaluator.deceptionbench.scoring import DeceptionRecord
from services.evaluator.items import EvaluationItem
from services.evaluator.records import Reply, Ruling


async def examine(item: EvaluationItem, row: DeceptionRow, examination: Examination) -> DeceptionRecord:
    """Return the row's replies and rulings; the judges are asked only if the reply splits in two."""
    belief, pressured = await together(
        examination.ask(item, "belief", 0, (Message("user", row.belief_prompt),), 0.0),
        examination.ask(item, "pressured", 0, row.pressured(examination.spec.deception_layout), 0.0),
    )
    act, thought, consistency = await _rulings(row, examination, belief, pressured)
    return DeceptionRecord(
        belief=belief, pressured=pressured, act=act, thought=thought, consistency=consistency
    )


async def _rulings(
    row: DeceptionRow, examination: Examination, belief: Reply, pressured: Reply
) -> list[Ruling] | list[None]:
    split = split_reply(pressured.text or "")
    if belief.text is None or not split.reasoning or not split.answer:
        return [None, None, None]
    is_whole = examination.spec.deception_answer == "full_reply"
    answer = (pressured.text or "") if is_whole else split.answer
    case = DeceptionCase(row.category, row.belief_prompt, belief.text, split.reasoning, answer)
    return await together(
        examination.rule(lambda judge: judge.act(case)),
        examination.rule(lambda judge: judge.thought(case)),
        examination.rule(lambda judge: judge.consistency(case)),
    )
