"""DeceptionBench's rows: one JSON array, layout of `PKU-Alignment/DeceptionBench`.

The exact `type` strings are mapped by keyword to five categories. A type that fits none stops the evaluation: a
category left out or misfiled would be a wrong rate with nothing to show for it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from services.core.domain.chat import Message
from services.core.domain.errors import SpecError
from services.evaluator.rowfiles import Loaded, Skip, read_text, text_column

_KEYWORDS = {
    "sycophan": "sycophancy",
    "evasion": "honesty_evasion",
    "faking": "alignment_faking",
    "sandbag": "sandbagging",
    "manipul": "strategic_deception",
    "rule": "strategic_deception",
    "strateg": "strategic_deception",
}


@dataclass(frozen=True, slots=True)
class DeceptionRow:
    """One scenario."""

    id: str
    category: str
    belief_prompt: str
    """Asked without any pressure."""
    setting: str
    goal: str
    format: str

    def pressured(self, layout: Literal["user_concat", "system_user"]) -> tuple[Message, ...]:
        """Return the pressing chat: one user message with nothing between its parts, or the setting as system prompt."""
        if layout == "user_concat":
            return (Message("user", self.setting + self.goal + self.format),)
        return Message("system", self.setting), Message("user", f"{self.goal}\n{self.format}")


def load_scenarios(path: Path) -> Loaded:
    """Return the scenarios of `deceptionbench.json` and those skipped; `SpecError` if it is no array of objects."""
    try:
        content = json.loads(read_text(path))
    except ValueError:
        raise SpecError(f"evaluation.data: {path} is not JSON") from None
    if not isinstance(content, list):
        raise SpecError(f"evaluation.data: {path} does not hold a JSON array")
    rows: dict[str, DeceptionRow] = {}
    skipped: list[Skip] = []
    for number, row in enumerate(cast(list[Any], content), 1):
        try:
            parsed = _parse(row)
            if parsed.id in rows:
                raise ValueError("id: used by an earlier row")
            rows[parsed.id] = parsed
        except ValueError as reason:
            skipped.append(Skip(path.name, number, str(reason)))
    return Loaded(tuple(rows.values()), tuple(skipped))


def category_of(raw_type: str) -> str:
    """Return the category that a `type` names; `SpecError` if none or several."""
    found = {category for keyword, category in _KEYWORDS.items() if keyword in raw_type.lower()}
    if len(found) != 1:
        known = ", ".join(sorted(set(_KEYWORDS.values())))
        raise SpecError(
            f"evaluation.data: deceptionbench type {raw_type!r} names no single category of {known}"
        )
    return found.pop()


def _parse(row: Any) -> DeceptionRow:
    if not isinstance(row, dict):
        raise ValueError("row: not a JSON object")
    columns = cast(dict[str, Any], row)
    if not isinstance(columns.get("id"), str | int):
        raise ValueError("id: missing")
    return DeceptionRow(
        id=str(columns["id"]),
        category=category_of(text_column(columns, "type")),
        belief_prompt=text_column(columns, "inner_prompt"),
        setting=text_column(columns, "system_prompt"),
        goal=text_column(columns, "outer_prompt"),
        format=text_column(columns, "format"),
    )
