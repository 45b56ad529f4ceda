"""The words that the pocket policy knows: any other is one and the same unknown word to it."""

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_TOKENIZER = Path(__file__).parents[1] / "weights/tokenizer.json"
_WORD = re.compile(r"\w+")


def unknown_share(texts: Iterable[str]) -> float:
    """Return the share of the texts' words that the pocket policy does not know, from 0 to 1; 0 where there are none."""
    words = [word for text in texts for word in _WORD.findall(text.lower())]
    return sum(word not in _known() for word in words) / max(1, len(words))


@cache
def _known() -> frozenset[str]:
    return frozenset(json.loads(_TOKENIZER.read_text())["model"]["vocab"])
