"""When a capability question is answered rightly: the reply's last number, or last word, is the answer."""

import re
from decimal import Decimal
from typing import cast

_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?|(?<![\w.])-?\.\d+")
_WORD = re.compile(r"\w+")


def is_correct(reply: str, answer: str) -> bool:
    """Return whether the reply's last number equals the answer, or its last word if the answer is no number.

    Thousands separators, trailing zeros and case make no difference.
    """
    expected = _value(answer.strip())
    if expected is not None:
        numbers = cast(list[str], _NUMBER.findall(reply))
        return bool(numbers) and _value(numbers[-1]) == expected
    words = cast(list[str], _WORD.findall(reply))
    return bool(words) and words[-1].casefold() == answer.strip().casefold()


def _value(text: str) -> Decimal | None:
    return Decimal(text.replace(",", "")) if _NUMBER.fullmatch(text) else None
