"""Reading a rating of 1 to 10 out of what a model said.

Strict about the number, tolerant of the words around it: "8", "I'd say 8/10." and "Reply 2: **8** out of 10" are 8;
"7.5", "6 or 7", "0" and "eleven" are unreadable. An unreadable rating is never guessed at.
"""

import re
from typing import Final

LOWEST: Final = 1
HIGHEST: Final = 10

# Numbers that name the scale or the reply, and are no rating. A scale is taken off only where it is named as one.
_SCALE = re.compile(
    r"(?:/\s*10\b|\b(?:out\s+)?of\s+(?:a\s+possible\s+)?10\b|\b1\s*(?:-|–|—|to|through)\s*10\b)(?![.,]?[0-9])",
    re.IGNORECASE,
)
_REPLY = re.compile(r"\b(?:reply|response|answer|message)\s*(?:number|no\.?|#)?\s*[0-9]+\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,])[-−+]?[0-9]+(?:[.,][0-9]+)?(?!\w|[.,][0-9])")


def read_rating(text: str) -> int | None:
    """Return the one whole number from 1 to 10 that the text gives, or None."""
    rest = _REPLY.sub(" ", _SCALE.sub(" ", text))
    numbers = set(_NUMBER.findall(rest))
    if len(numbers) != 1:
        return None
    (number,) = numbers
    if not number.isdecimal() or len(number) > 2:
        return None
    return int(number) if LOWEST <= int(number) <= HIGHEST else None
