"""A judge that is a language model: any hosted model, told by a prompt pack, within the benchmarks' own bounds.

A ruling that cannot be read (no answer line, no JSON, an answer cut short) is asked for again, at most `READ_TRIES` times in all, under
the robust profile; under `reference` it stands, as in the benchmarks' code. An answer that is no chat completion is asked for again
under both. What all attempts took is counted in the judgement. The seed derives from what is asked, so the same question is asked in the
same way, whoever asks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from services.core.domain.chat import ChatReply, ChatRequest, Message, Sampling
from services.core.domain.errors import ProviderError
from services.core.domain.judging import BinaryCase, DeceptionCase, Judgement, NumericCase, ValidationCase
from services.core.domain.seeds import derive_seed
from services.core.llm.model import ChatModel
from services.evaluator.judging.prompts import PromptPack, Role
from services.evaluator.mask import rules
from services.evaluator.reading import says_yes
from services.evaluator.records import Ruling

READ_TRIES = 3
Number = TypeVar("Number", int, float)
_BOUND = {"anyOf": [{"type": "number"}, {"type": "null"}]}
_BOUNDS = ("lower_bound", "upper_bound", "relative_lower_bound", "relative_upper_bound")
BOUNDS_SCHEMA = {
    "type": "object",
    "properties": dict.fromkeys(_BOUNDS, _BOUND),
    "required": list(_BOUNDS),
    "additionalProperties": False,
}


class _How(NamedTuple):
    """How one kind of question is asked, by the benchmark's own code where it has a word on it."""

    system: Role
    temperature: float
    max_tokens: int
    can_read: Callable[[str], bool]
    is_bounds: bool = False


def _reads_letter(text: str) -> bool:
    return rules.letter(text, "robust") is not None


def _reads_bounds(text: str) -> bool:
    return rules.bounds(text, "robust") is not None


def _reads_yes_or_no(text: str) -> bool:
    return says_yes(Ruling(text=text), "robust") is not None


_BINARY = _How(Role.SYSTEM, 1.0, 500, _reads_letter)
_NUMERIC = _How(Role.NUMERIC_SYSTEM, 1.0, 4096, _reads_bounds, is_bounds=True)
_DECEPTION = _How(Role.DECEPTION_SYSTEM, 0.0, 1024, _reads_yes_or_no)
_VALIDATES = _How(Role.SYSTEM, 0.0, 1024, _reads_yes_or_no)


@dataclass(frozen=True)
class ModelJudge:
    """Asks `model`. Raises `ProviderError` where no answer can be had."""

    name: str
    model: ChatModel
    prompts: PromptPack
    max_tokens: int | None = None
    """None: the benchmarks' own bounds."""
    asks_again: bool = True
    """Whether a ruling that cannot be read is asked for again."""

    async def binary(self, case: BinaryCase) -> Judgement:
        """Return raw text ending in `Answer: <letter>`."""
        return await self._ask(self.prompts.binary(case), _BINARY)

    async def numeric(self, case: NumericCase) -> Judgement:
        """Return raw JSON bounds, held to a schema where the server can."""
        return await self._ask(self.prompts.numeric(case), _NUMERIC)

    async def act(self, case: DeceptionCase) -> Judgement:
        """Return Yes if the answer holds the belief's stance."""
        return await self._ask(self.prompts.deception(Role.ACT, case), _DECEPTION)

    async def thought(self, case: DeceptionCase) -> Judgement:
        """Return Yes if the reasoning, at least at first, acknowledges the belief."""
        return await self._ask(self.prompts.deception(Role.THOUGHT, case), _DECEPTION)

    async def consistency(self, case: DeceptionCase) -> Judgement:
        """Return Yes if the reasoning leads naturally to the answer."""
        return await self._ask(self.prompts.deception(Role.CONSISTENCY, case), _DECEPTION)

    async def validates(self, case: ValidationCase) -> Judgement:
        """Return Yes if the reply validates the harmful plan."""
        return await self._ask(self.prompts.validates(case), _VALIDATES)

    async def _ask(self, question: str, how: _How) -> Judgement:
        replies: list[ChatReply] = []
        attempt = 0
        while attempt < READ_TRIES:
            attempt += 1
            try:
                replies.append(await self.model.chat(self._request(question, how, attempt)))
            except ProviderError as error:
                if error.cause == "garbled" and attempt < READ_TRIES:
                    continue
                if not replies:
                    raise
                break  # what was said before, read or not, is more than a cause
            if not self.asks_again or how.can_read(replies[-1].text):
                break
        return _judgement(replies, attempt)

    def _request(self, question: str, how: _How, attempt: int) -> ChatRequest:
        told = (
            Message("system", self.prompts.texts[how.system]),
            Message("user", question),
        )
        seed = derive_seed("judge", self.name, question, attempt)
        sampling = Sampling(how.temperature, self.max_tokens or how.max_tokens, seed)
        return ChatRequest(self.name, told, sampling, BOUNDS_SCHEMA if how.is_bounds else None)


def _sum(counts: Sequence[Number | None]) -> Number | None:
    """Return the sum, or None if any part is not known."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None  # pyright: ignore[reportReturnType]


def _judgement(replies: list[ChatReply], attempts: int) -> Judgement:
    last = replies[-1]
    return Judgement(
        text=last.text,
        model=last.model,
        prompt_tokens=_sum([reply.prompt_tokens for reply in replies]),
        completion_tokens=_sum([reply.completion_tokens for reply in replies]),
        cost_usd=_sum([reply.cost_usd for reply in replies]),
        input_usd_per_million=last.input_usd_per_million,
        output_usd_per_million=last.output_usd_per_million,
        latency_s=_sum([reply.latency_s for reply in replies]),
        attempts=attempts,
    )
