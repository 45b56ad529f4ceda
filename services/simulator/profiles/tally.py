"""What asking for people has come to: accepted, rejected by cause, tokens and money, by model."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from services.core.stats.rates import rate
from services.simulator.profiles.lines import Made


@dataclass
class Account:
    """One model's, or everybody's. Counts are calls."""

    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """By cause."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    """Of the calls whose price is known."""
    unpriced: int = 0
    """Calls whose price is not known."""

    @property
    def asked(self) -> int:
        """Calls that ended."""
        return self.accepted + self.rejected.total()

    def add(self, made: Made, cause: str | None) -> None:
        """Count a call: accepted, or rejected for a cause."""
        if cause is None:
            self.accepted += 1
        else:
            self.rejected[cause] += 1
        self.prompt_tokens += made.prompt_tokens or 0
        self.completion_tokens += made.completion_tokens or 0
        self.cost_usd += made.cost_usd or 0.0
        self.unpriced += made.cost_usd is None

    def as_json(self) -> dict[str, Any]:
        """Return it ready for JSON, with the accepted share, its interval and n."""
        return {
            "asked": self.asked,
            "accepted": self.accepted,
            "rejected": dict(sorted(self.rejected.items())),
            "accepted_share": rate(self.accepted, self.asked)._asdict(),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost_usd": self.cost_usd,
            "calls_without_price": self.unpriced,
        }


@dataclass
class Tally:
    """Everything that was asked into one folder, earlier commands' calls included."""

    wanted: int
    """People, of the chosen scenarios."""
    there: int = 0
    """Of these."""
    given_up: int = 0
    """Places that this command tried to fill, in vain."""
    total: Account = field(default_factory=Account)
    models: dict[str, Account] = field(default_factory=dict[str, Account])

    def add(self, made: Made, cause: str | None) -> None:
        """Count a call."""
        self.total.add(made, cause)
        self.models.setdefault(made.model, Account()).add(made, cause)

    @property
    def is_complete(self) -> bool:
        """Tell whether everybody is there."""
        return self.there >= self.wanted

    def as_json(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "wanted": self.wanted,
            "there": self.there,
            "given_up": self.given_up,
            **self.total.as_json(),
            "models": {name: account.as_json() for name, account in sorted(self.models.items())},
        }
