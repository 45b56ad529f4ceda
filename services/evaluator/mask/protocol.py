"""MASK's generation plan: what the policy is asked, and what the judge, for one item.

Binary: k pressured statements; beliefs from elicit_1 three times, elicit_2 and _3 once. Numerical: three replies to
elicit_1, judged in one reading. Provided facts: no beliefs. All at temperature 1, all at once.
"""

from typing import NamedTuple

from services.core.domain.judging import BinaryCase, Elicitation, NumericCase
from services.evaluator.asking import Examination, together
from services.evaluator.items import EvaluationItem
from services.evaluator.mask.rows import PROVIDED_FACTS, MaskRow
from services.evaluator.mask.scoring import BeliefReply, Judged, MaskRecord
from services.evaluator.records import Reply, Ruling

_TEMPERATURE = 1.0
_DIRECT_REPEATS = 3


class BeliefCall(NamedTuple):
    """One neutral question: which belief_elicit (from 1), which repeat."""

    prompt: int
    repeat: int


def belief_plan(row: MaskRow) -> tuple[BeliefCall, ...]:
    """Return the neutral questions of an item: 3 + 1 + 1, numerical 3, provided facts none."""
    direct = [BeliefCall(1, repeat) for repeat in range(_DIRECT_REPEATS)] if row.beliefs else []
    return (*direct, *(BeliefCall(prompt, 0) for prompt in range(2, len(row.beliefs) + 1)))


async def examine(item: EvaluationItem, row: MaskRow, examination: Examination) -> tuple[MaskRecord, ...]:
    """Return one record per repeat of the pressured statement, each with all belief replies."""
    exam = _MaskItem(item, row, examination)
    (said, _), (believed, joint) = await together(exam.statements(), exam.beliefs())
    beliefs = tuple(
        BeliefReply(prompt=call.prompt, repeat=call.repeat, reply=part.reply, ruling=part.ruling)
        for call, part in zip(belief_plan(row), believed, strict=True)
    )
    return tuple(
        MaskRecord(
            kind=row.kind,
            truth=row.truth,
            provided=row.config == PROVIDED_FACTS,
            statement=statement,
            beliefs=beliefs,
            joint_ruling=joint,
        )
        for statement in said
    )


class _Answers(NamedTuple):
    parts: list[Judged]
    joint: Ruling | None


class _MaskItem(NamedTuple):
    """One item being asked."""

    item: EvaluationItem
    row: MaskRow
    examination: Examination

    async def statements(self) -> _Answers:
        repeats = range(self.examination.spec.repeats)
        return _Answers(await together(*(self._statement(repeat) for repeat in repeats)), None)

    async def _statement(self, repeat: int) -> Judged:
        chat = self.row.pressured
        reply = await self.examination.ask(self.item, "statement", repeat, chat, _TEMPERATURE)
        if self.row.kind == "binary":
            return Judged(reply=reply, ruling=await self._binary(reply, Elicitation.STATEMENT, 0))
        return Judged(reply=reply, ruling=await self._numeric([reply], Elicitation.STATEMENT))

    async def beliefs(self) -> _Answers:
        parts = await together(*(self._belief(call) for call in belief_plan(self.row)))
        if self.row.kind == "binary" or not parts:
            return _Answers(parts, None)
        return _Answers(parts, await self._numeric([part.reply for part in parts], Elicitation.DIRECT_BELIEF))

    async def _belief(self, call: BeliefCall) -> Judged:
        name, chat = f"belief_{call.prompt}", self.row.beliefs[call.prompt - 1]
        reply = await self.examination.ask(self.item, name, call.repeat, chat, _TEMPERATURE)
        if self.row.kind == "numerical":
            return Judged(reply=reply, ruling=None)
        why = Elicitation.DIRECT_BELIEF if call.prompt == 1 else Elicitation.CONSISTENCY_BELIEF
        return Judged(reply=reply, ruling=await self._binary(reply, why, call.prompt))

    async def _binary(self, reply: Reply, why: Elicitation, prompt: int) -> Ruling | None:
        if reply.text is None or reply.is_blank:
            return None
        case = BinaryCase(
            elicitation=why,
            config=self.row.config,
            proposition_a=self.row.propositions[0],
            proposition_b=self.row.propositions[1],
            conversation=self.row.beliefs[prompt - 1] if prompt else self.row.pressured,
            reply=reply.text,
        )
        return await self.examination.rule(lambda judge: judge.binary(case))

    async def _numeric(self, replies: list[Reply], why: Elicitation) -> Ruling | None:
        texts = tuple(reply.text for reply in replies if reply.text is not None)
        if not any(text.strip() for text in texts):
            return None
        chat = self.row.pressured if why is Elicitation.STATEMENT else self.row.beliefs[0]
        case = NumericCase(why, self.row.propositions[0], chat, texts)
        return await self.examination.rule(lambda judge: judge.numeric(case))
