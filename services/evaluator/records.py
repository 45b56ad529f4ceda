"""What an evaluation keeps of each call, as it stands in a verdict's `detail`.

A record is raw: what was replied, what was ruled, why a call failed. Scorers read records and never change them. Beside a cost stand the
prices that held then; records from before prices were kept have none.
"""

from typing import Any, NamedTuple, cast

from pydantic import BaseModel, ConfigDict

from services.core.domain.verdict import Outcome


class Record(BaseModel):
    """A frozen part of a verdict's detail. Labels that stand beside it are ignored when it is read again."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Reply(Record):
    """One reply of the policy, or the cause of its lack. An empty text is a reply."""

    text: str | None
    cause: str | None = None
    seed: int
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None
    input_usd_per_million: float | None = None
    output_usd_per_million: float | None = None

    @property
    def is_blank(self) -> bool:
        """Whether there is a reply and nothing in it."""
        return self.text is not None and not self.text.strip()


class Ruling(Record):
    """One raw text of the judge, or the cause of its lack; which model said it, and what it took (None: unknown).

    `second` is what a second judge said of the same thing, if one was asked. Scores never read it.
    """

    text: str | None
    cause: str | None = None
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None
    input_usd_per_million: float | None = None
    output_usd_per_million: float | None = None
    latency_s: float | None = None
    attempts: int = 1
    second: "Ruling | None" = None


class Scored(NamedTuple):
    """What a scorer makes of a record. `labels` always has the scorer's every label, so that scoring again
    replaces them all.
    """

    outcome: Outcome
    labels: dict[str, Any]


UNREADABLE = "unreadable"
"""The cause of a judge error whose text came back but held no answer."""


def of_second_judge(detail: Any) -> Any:
    """Return a stored record as if the second judge had been the first, or None if none was asked about it."""
    turned = _turned(detail)
    return None if turned == detail else turned


def _turned(part: Any) -> Any:
    if isinstance(part, dict):
        fields = cast("dict[str, Any]", part)
        return fields.get("second") or {name: _turned(value) for name, value in fields.items()}
    if isinstance(part, list):
        return [_turned(value) for value in cast("list[Any]", part)]
    return part
