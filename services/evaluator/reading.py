"""Yes or No in a judge's text."""

from services.core.domain import rulings
from services.core.domain.verdict import ScoringProfile
from services.evaluator.records import Ruling


def says_yes(ruling: Ruling | None, profile: ScoringProfile) -> bool | None:
    """Return what the judge said, or None if it can't be told.

    `reference` (eval-anything's code): Yes if the text has "yes" anywhere, else No, even if the judge failed.
    `robust`: the last line that holds a yes or no decides; it must begin with its answer or hold only one.
    """
    text = (ruling.text if ruling is not None else None) or ""
    return "yes" in text.lower() if profile == "reference" else rulings.says_yes(text)
