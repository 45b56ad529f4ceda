"""Hosted models, by name: who plays users, who judges. A spec names an endpoint; only settings say where it is and what it costs.

Keys stay in the environment: an endpoint names the variable.
"""

from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, HttpUrl

Price = Annotated[float, Field(ge=0, le=10_000)]


class Prices(NamedTuple):
    """What a million tokens cost; None where that is not known."""

    input_usd_per_million: float | None = None
    output_usd_per_million: float | None = None


class Endpoint(BaseModel):
    """Where a hosted model is, how much it may be asked, and what it costs."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str
    """The provider's name for it; for LiteLLM with the provider before it, such as `openai/gpt-4o-mini`."""
    url: HttpUrl | None = None
    """An OpenAI-compatible server, spoken to directly; none means through LiteLLM."""
    api_base: HttpUrl | None = None
    """Where LiteLLM finds a provider that is not at its usual address."""
    key_env: str | None = None
    """The environment variable that holds the key; LiteLLM knows each provider's usual one."""
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Most requests a minute, of all workers together where they share a Redis."""
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Most tokens a minute, asked and answered."""
    input_usd_per_million: Price | None = None
    """What a million tokens of prompts cost."""
    output_usd_per_million: Price | None = None
    """What a million tokens of replies cost."""
    reasoning_tokens: Annotated[int, Field(ge=0)] = 0
    """About how many tokens it thinks before an answer, for estimates."""

    @property
    def is_priced(self) -> bool:
        """Whether both prices are known."""
        return self.input_usd_per_million is not None and self.output_usd_per_million is not None

    @property
    def prices(self) -> Prices:
        """What its tokens cost now."""
        return Prices(self.input_usd_per_million, self.output_usd_per_million)

    def cost_usd(self, prompt_tokens: float | None, completion_tokens: float | None) -> float | None:
        """Return what a call cost, or None where prices or counts are not known."""
        if self.input_usd_per_million is None or self.output_usd_per_million is None:
            return None
        if prompt_tokens is None or completion_tokens is None:
            return None
        spent = prompt_tokens * self.input_usd_per_million + completion_tokens * self.output_usd_per_million
        return spent / 1_000_000


THOUGHTS = 400
"""Tokens that the built-in models which reason are assumed to think before a ruling or a turn."""
HOSTED = {
    "gpt-4o-mini": Endpoint(
        model="openai/gpt-4o-mini", input_usd_per_million=0.15, output_usd_per_million=0.6
    ),
    "gpt-4o": Endpoint(model="openai/gpt-4o", input_usd_per_million=2.5, output_usd_per_million=10),
    "gpt-4.1-mini": Endpoint(
        model="openai/gpt-4.1-mini", input_usd_per_million=0.4, output_usd_per_million=1.6
    ),
    "gpt-5-mini": Endpoint(
        model="openai/gpt-5-mini",
        input_usd_per_million=0.25,
        output_usd_per_million=2,
        reasoning_tokens=THOUGHTS,
    ),
    "grok-3-mini": Endpoint(
        model="xai/grok-3-mini",
        input_usd_per_million=0.3,
        output_usd_per_million=0.5,
        reasoning_tokens=THOUGHTS,
    ),
    "gemini-2.5-flash": Endpoint(
        model="gemini/gemini-2.5-flash",
        input_usd_per_million=0.3,
        output_usd_per_million=2.5,
        reasoning_tokens=THOUGHTS,
    ),
}
"""The models that the paper's experiments used, under their usual names; settings may replace them. Prices: list prices of 2025."""
