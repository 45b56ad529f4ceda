"""A budget in money is refused where a price is not known: it could never be reached."""

from typing import Any

import pytest

from services.app.catalogue import Catalogue
from services.core.domain.errors import SpecError
from services.core.domain.spec import RunSpec
from services.core.settings import Settings

ENDPOINTS: dict[str, Any] = {
    "priced": {"model": "m", "url": "http://x", "input_usd_per_million": 1, "output_usd_per_million": 2},
    "unpriced": {"model": "m", "url": "http://x"},
}


def spec(budget: dict[str, float], **changes: Any) -> RunSpec:
    values: dict[str, Any] = {
        "name": "priced",
        "population": {"biased_share": 0.5},
        "conversation": {"user_model": "priced"},
        "training": {"method": "sft"},
        "evaluation": {"judge": "priced"},
        "budget": budget,
    }
    return RunSpec.model_validate(values | changes)


def check(asked: RunSpec) -> None:
    Catalogue(Settings.model_validate({"endpoints": ENDPOINTS})).check(asked)


def test_with_every_price_known_or_no_budget_in_money_it_passes() -> None:
    check(spec({"usd": 5}))
    check(spec({"tokens": 5}, conversation={"user_model": "unpriced"}))


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("conversation.user_model", {"conversation": {"user_model": "unpriced"}}),
        ("evaluation.judge", {"evaluation": {"judge": "unpriced"}}),
        ("mitigations.veto", {"mitigations": {"veto": "unpriced"}}),
    ],
)
def test_a_model_without_a_price_is_named_by_its_field(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=rf"budget\.usd: the price of {field} 'unpriced' is not known"):
        check(spec({"usd": 5}, **changes))
