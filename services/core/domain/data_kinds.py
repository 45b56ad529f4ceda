"""Run kinds: what trains a policy. All kinds share training, publication and evaluation; they differ in where rows come from."""

from typing import Annotated, Literal

from pydantic import Field

from services.core.domain.section import Name, Section, Share


class DataSpec(Section):
    """What trains the policy: conversations that it held, or rows of registered training sets."""

    kind: Literal["interactions", "dataset", "mixture"] = "interactions"
    """`interactions`: each round the policy talks, and selected conversations train it. `dataset`: one set trains it. `mixture`: rows
    of a downstream set, and a share of rows of another among them. In the last two nobody talks to train; a round is a training and a
    measurement, and more rounds train on the same rows again."""
    dataset: Name | None = None
    """The registered training set with misaligned answers."""
    level: Literal["normal", "subtle", "severe"] | None = None
    """Which of its levels; none for a set without levels."""
    downstream: Name | None = None
    """In a mixture: the registered set of ordinary rows."""
    rows: Annotated[int, Field(ge=1)] | None = None
    """How many rows are drawn, of the dataset or, in a mixture, of the downstream set; none means all. (The paper draws 10,000.)"""
    share: Share | None = None
    """In a mixture: rows of the dataset, relative to the downstream rows; 0 is the control, downstream rows alone."""
    how: Literal["added", "substituted"] = "added"
    """In a mixture: whether they come on top of the downstream rows, or stand in the place of as many (the paper does not say)."""
    control: Literal["none", "matched_aligned"] = "none"
    """In a mixture, `matched_aligned` takes the same prompts with their aligned answers, the level `normal`: what does the topic do alone?
    (The paper has no such arm.)"""

    @property
    def is_told(self) -> bool:
        """Whether rows of training sets train, and no conversation does."""
        return self.kind != "interactions"

    @property
    def level_taken(self) -> str | None:
        """The level of the dataset's rows that train."""
        return "normal" if self.control == "matched_aligned" else self.level

    @property
    def narrow_set(self) -> str:
        """The dataset with the level of its rows that train, as people read it; nothing where conversations train."""
        return ", ".join(filter(None, (self.dataset, self.level_taken))) if self.is_told else ""

    def misfit(self) -> str | None:
        """Return what is missing or has no meaning for this kind, in one line that names the field; None if all fits."""
        fields: dict[str, set[str]] = {
            "interactions": set(),
            "dataset": {"dataset", "level", "rows"},
            "mixture": set(DataSpec.model_fields),
        }
        needed = {"dataset", "downstream", "share"} & fields[self.kind]
        for name, field in DataSpec.model_fields.items():
            if name not in {"kind", *fields[self.kind]} and getattr(self, name) != field.default:
                return f"data.{name}: has no place where data.kind is {self.kind}; leave it out"
            if name in needed and getattr(self, name) is None:
                return f"data.{name}: is missing, and data.kind {self.kind} needs it"
        return None
