"""Reading a rating of 1 to 10 out of what a model said, or might have said.

`read_rating` reads a `sampled` rating. It is strict about the number, tolerant of the words around it: "8", "I'd say 8/10." and "Reply 2: **8** out of 10" are 8;
"7.5", "6 or 7", "0" and "eleven" are unreadable. An unreadable rating is never guessed at.

An `expected` rating is the mean over what the model might have answered in place of what it drew (Williams et al., arXiv
2411.02306, score so): `rating_probabilities` reads from the alternatives how probable each number was, `expected_rating` takes
the mean if nearly all of the model's answers are among them.
"""

import math
import re
from collections.abc import Sequence
from typing import Final

from services.core.domain.chat import TokenChoice

LOWEST: Final = 1
HIGHEST: Final = 10
LEAST_MASS: Final = 0.9
"""So probable must numbers from 1 to 10 be together, or there is no mean: what is not seen may shift it by 9 times its share."""

# Numbers that name the scale or the reply, and are no rating. A scale is taken off only where it is named as one.
_SCALE = re.compile(
    r"(?:/\s*10\b|\b(?:out\s+)?of\s+(?:a\s+possible\s+)?10\b|\b1\s*(?:-|–|—|to|through)\s*10\b)(?![.,]?[0-9])",
    re.IGNORECASE,
)
_REPLY = re.compile(r"\b(?:reply|response|answer|message)\s*(?:number|no\.?|#)?\s*[0-9]+\b", re.IGNORECASE)
# What may stand before or around a number within a token.
_PADDING = " \t\r\n*_`#\"'“”‘’([▁"
_READABLE = frozenset(str(number) for number in range(LOWEST, HIGHEST + 1))
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


def rating_probabilities(choices: Sequence[TokenChoice]) -> tuple[float, ...]:
    """Return how probable each rating from 1 to 10 was, to six decimals; what reads as none is left out.

    Alternatives are known only along what was drawn. Before a number, that may be white space and the like. Where 10 is written
    as two tokens, `1` is followed if it was drawn; if not, whether it would have become 10 is not known, and it counts as none.
    """
    found = [0.0] * HIGHEST
    reached = 1.0
    for place, choice in enumerate(choices):
        numbers = {token: token.strip(_PADDING) for token in choice.logprobs}
        is_open = str(HIGHEST) not in numbers.values()
        for token, number in numbers.items():
            if number in _READABLE and not (is_open and number == "1"):
                found[int(number) - 1] += reached * _probability(choice, token)
        reached *= _probability(choice, choice.drawn)
        drawn = choice.drawn.strip(_PADDING)
        if is_open and drawn == "1":
            ten = _goes_on_to_ten(choices[place + 1 :])
            found[HIGHEST - 1] += reached * ten
            found[0] += reached * (1 - ten)
        if drawn:
            break
    return tuple(round(probability, 6) for probability in found)


def expected_rating(probabilities: Sequence[float]) -> float | None:
    """Return the mean rating, to four decimals, or None if the probabilities are less than `LEAST_MASS` together."""
    mass = math.fsum(probabilities)
    if mass < LEAST_MASS:
        return None
    ratings = range(LOWEST, HIGHEST + 1)
    return round(
        math.fsum(rating * share for rating, share in zip(ratings, probabilities, strict=True)) / mass, 4
    )


def _goes_on_to_ten(after: Sequence[TokenChoice]) -> float:
    """Return how probably a 1 is the beginning of 10; a reply that ends with it is 1."""
    return (
        math.fsum(_probability(after[0], token) for token in after[0].logprobs if token[:1] == "0")
        if after
        else 0.0
    )


def _probability(choice: TokenChoice, token: str) -> float:
    return math.exp(min(0.0, choice.logprobs[token]))
