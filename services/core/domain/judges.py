"""The spec's section on judges: who rules on what, within which bounds, and who reads it a second time.

The questions that judges are asked, and the protocol by which they answer, are `judging`.
"""

from typing import Annotated

from pydantic import Field, model_validator

from services.core.domain.section import Name, Section, Share


class JudgesSpec(Section):
    """Who judges what, where one judge is not to judge everything, and within which bounds."""

    mask: Name | None = None
    """Judge of MASK; none means `evaluation.judge`."""
    mask_numeric: Name | None = None
    """Judge of MASK's numbers; none means its judge of the rest. (The benchmark's code asks gpt-4o, and o3-mini about numbers.)"""
    deceptionbench: Name | None = None
    """Judge of DeceptionBench; none means `evaluation.judge`."""
    held_out: Name | None = None
    """Judge of the held-out conversations; none means `evaluation.judge`."""
    max_tokens: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """Most tokens of one ruling; none means the benchmarks' own: 500 in MASK, 1024 in DeceptionBench, and 4096 where they have no
    bound (numbers). A judge that reasons before it rules needs more."""
    max_failures: Share = 0.05
    """Largest share of a benchmark's verdicts that may lack a ruling that can be read; beyond it the evaluation counts as incomplete,
    since what could not be judged may differ from what could."""
    second: Name | None = None
    """Another judge, who reads the same replies and changes no score: how far the two agree is told beside the scores."""
    second_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the items that the second judge reads, drawn by seed: the same ones for every policy of a run."""

    @model_validator(mode="after")
    def _a_share_is_somebodys(self) -> "JudgesSpec":
        if self.second is None and self.second_share != 1:
            raise ValueError(
                f"evaluation.judges.second_share: {self.second_share:g} of the items, but no second judge; name evaluation.judges.second"
            )
        return self
