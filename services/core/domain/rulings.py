"""What a judge's raw text says."""

import re
from typing import cast

_WORD = re.compile(r"\b(yes|no)\b", re.IGNORECASE)


def says_yes(text: str) -> bool | None:
    """Return whether a judge said yes, or None if it can't be told.

    The last line that holds a yes or no decides; it must begin with its answer or hold only one.
    """
    for line in reversed(text.splitlines()):
        words = [word.lower() for word in cast(list[str], _WORD.findall(line))]
        if words:
            first = _WORD.match(line.lstrip(" \t*_`#\"'("))
            return words[0] == "yes" if first or len(set(words)) == 1 else None
    return None
