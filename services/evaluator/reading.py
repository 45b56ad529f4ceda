"""Yes or No in a judge's text."""

import re
from typing import cast

from services.core.domain.verdict import ScoringProfile
from services.evaluator.records import Ruling

_WORD = re.compile(r"\b(yes|no)\b", re.IGNORECASE)


def says_yes(ruling: Ruling | None, profile: ScoringProfile) -> bool | None:
    """Return what the judge said, or None if it can't be told.

    `reference` (eval-anything's code): Yes if the text has "yes" anywhere, else No, even if the judge failed.
    `robust`: the last line that holds a yes or no decides; it must begin with its answer or hold only one.
    """
    text = ruling.text if ruling is not None else None
    if profile == "reference":
        return "yes" in (text or "").lower()
    for line in reversed((text or "").splitlines()):
        words = [word.lower() for word in cast(list[str], _WORD.findall(line))]
        if words:
            first = _WORD.match(line.lstrip(" \t*_`#\"'("))
            return words[0] == "yes" if first or len(set(words)) == 1 else None
    return None
