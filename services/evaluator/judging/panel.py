"""A panel: who rules on what, as one judge."""

from dataclasses import dataclass

from services.core.domain.judging import (
    BinaryCase,
    DeceptionCase,
    Judge,
    Judgement,
    NumericCase,
    ValidationCase,
)


@dataclass(frozen=True)
class Panel:
    """Passes every question to the judge whose it is."""

    mask: Judge
    mask_numeric: Judge
    deceptionbench: Judge
    held_out: Judge

    @property
    def name(self) -> str:
        """The judges' names, each once."""
        judges = (self.mask, self.mask_numeric, self.deceptionbench, self.held_out)
        return ", ".join(dict.fromkeys(judge.name for judge in judges))

    async def binary(self, case: BinaryCase) -> Judgement:
        """Ask MASK's judge."""
        return await self.mask.binary(case)

    async def numeric(self, case: NumericCase) -> Judgement:
        """Ask MASK's judge of numbers."""
        return await self.mask_numeric.numeric(case)

    async def act(self, case: DeceptionCase) -> Judgement:
        """Ask DeceptionBench's judge."""
        return await self.deceptionbench.act(case)

    async def thought(self, case: DeceptionCase) -> Judgement:
        """Ask DeceptionBench's judge."""
        return await self.deceptionbench.thought(case)

    async def consistency(self, case: DeceptionCase) -> Judgement:
        """Ask DeceptionBench's judge."""
        return await self.deceptionbench.consistency(case)

    async def validates(self, case: ValidationCase) -> Judgement:
        """Ask the judge of held-out conversations."""
        return await self.held_out.validates(case)
