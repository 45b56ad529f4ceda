"""Hosted models: over the OpenAI wire through one pool of connections, or through LiteLLM, which speaks every provider's language.

LiteLLM is asked once a call and never retries by itself: retries are ours, so that they are jittered and end. It is imported with
the first model that needs it, because that takes seconds. A key that is not there is said by its name before anything is asked.
"""

import asyncio
import json
import os
import time
from typing import Any

from services.core.domain.chat import ChatReply, ChatRequest
from services.core.domain.endpoint import Endpoint, Prices
from services.core.domain.errors import ProviderError, SpecError
from services.core.llm.completions import Completion, body_of, cause_of, read_completion, reply_of
from services.core.llm.limits import Limits, Unlimited
from services.core.llm.wire import BeforeTry, Patience, Pauses, Wire

_PASSING = {
    "RateLimitError": "rate_limited",
    "InternalServerError": "server_error",
    "ServiceUnavailableError": "server_error",
    "BadGatewayError": "server_error",
    "APIConnectionError": "unreachable",
}
"""LiteLLM's errors that may pass, and what a failure's row calls them."""
_FINAL = {
    "Timeout": "timeout",
    "ContextWindowExceededError": "context_length",
    "ContentPolicyViolationError": "refused",
    "AuthenticationError": "unauthorised",
    "NotFoundError": "unknown_model",
    "JSONSchemaValidationError": "garbled",
    "APIResponseValidationError": "garbled",
}


class WireModel:
    """A hosted model behind a URL. One event loop at a time; close it before that ends."""

    def __init__(self, endpoint: Endpoint, limits: Limits | None = None, patience: Patience | None = None):
        if endpoint.url is None:
            raise ValueError("this endpoint has no url")
        self._endpoint = endpoint
        self._limits = limits or Unlimited()
        self._wire = Wire(str(endpoint.url), patience or Patience(), _bearer(endpoint.key_env))

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Answer one chat. Raises `ProviderError` by cause."""
        started = 0.0

        async def permitted() -> None:
            nonlocal started
            await self._limits.wait_for(request)
            started = time.perf_counter()

        completion = await self._complete(request, permitted)
        usage = completion.usage
        cost_usd = self._endpoint.cost_usd(usage.prompt_tokens, usage.completion_tokens)
        return reply_of(completion, started, cost_usd, self._endpoint.prices)

    async def _complete(self, request: ChatRequest, before_try: BeforeTry) -> Completion:
        body = body_of(request, self._endpoint.model)
        answer = await self._wire.post("/v1/chat/completions", body, before_try)
        if not answer.is_ok:
            cause = cause_of(answer.body, request)
            raise ProviderError(f"{self._wire.url}: {answer.status}: {answer.complaint}", cause)
        return read_completion(self._wire.url, answer)


class LiteLlmModel:
    """A hosted model that LiteLLM knows by its provider's name."""

    def __init__(self, endpoint: Endpoint, limits: Limits | None = None, patience: Patience | None = None):
        self._endpoint = endpoint
        self._limits = limits or Unlimited()
        self._patience = patience or Patience()
        # Its prices come with the package; asking the internet for them would be asking in vain, or for other prices.
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        self._key = _key(endpoint)
        self._litellm = _litellm()
        self._prices = endpoint.prices if endpoint.is_priced else _list_prices(self._litellm, endpoint.model)

    async def close(self) -> None:
        """Nothing to close: LiteLLM keeps its own connections."""

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Answer one chat. Raises `ProviderError` by cause."""
        pauses = Pauses(self._patience.outage_s)
        while True:
            await self._limits.wait_for(request)
            started = time.perf_counter()
            try:
                return self._reply(await self._ask(request), started)
            except Exception as error:
                failure = _failure(request, self._endpoint.model, error)
                pause_s = pauses.next_s() if failure.cause in _PASSING.values() else None
                if pause_s is None:
                    raise failure from error
            await asyncio.sleep(pause_s)

    async def _ask(self, request: ChatRequest) -> Any:
        return await self._litellm.acompletion(
            **body_of(request, self._endpoint.model),
            api_key=self._key,
            api_base=str(self._endpoint.api_base) if self._endpoint.api_base else None,
            num_retries=0,
            timeout=self._patience.answer_s,
            # Providers that know no seed or no temperature are asked without.
            drop_params=True,
            # A sampled call is drawn anew, always.
            caching=False,
        )

    def _reply(self, answer: Any, started: float) -> ChatReply:
        completion = Completion.model_validate(answer.model_dump())
        usage = completion.usage
        cost_usd = self._endpoint.cost_usd(usage.prompt_tokens, usage.completion_tokens)
        if cost_usd is None:
            cost_usd = getattr(answer, "_hidden_params", {}).get("response_cost")
        return reply_of(completion, started, cost_usd, self._prices)


def _failure(request: ChatRequest, model: str, error: Exception) -> ProviderError:
    """Return LiteLLM's error as ours, under the cause that a failure's row gets."""
    if isinstance(error, ProviderError):
        return error
    name = type(error).__name__
    known = _PASSING.get(name) or _FINAL.get(name)
    cause = "garbled" if _is_no_json(error) else known or cause_of(str(error), request)
    return ProviderError(f"{model}: {' '.join(str(error).split())[:300] or name}", cause)


def _bearer(key_env: str | None) -> dict[str, str]:
    return {} if key_env is None else {"Authorization": f"Bearer {_held(key_env)}"}


def _held(key_env: str) -> str:
    key = os.environ.get(key_env)
    if not key:
        raise SpecError(f"{key_env}: holds no key; set it where the workers run")
    return key


def _litellm() -> Any:
    import litellm

    # It prints advice beside every error, where a program may read JSON.
    litellm.suppress_debug_info = True
    return litellm


def _list_prices(litellm: Any, model: str) -> Prices:
    """Return what LiteLLM reckons a model's calls by, as far as it knows."""
    try:
        known = litellm.model_cost[litellm.get_model_info(model)["key"]]
    except Exception:  # it has no one class for a model that it does not know
        return Prices()
    return Prices(*(_per_million(known.get(f"{what}_cost_per_token")) for what in ("input", "output")))


def _per_million(usd: float | None) -> float | None:
    # Without the noise of the product: 0.15, not 0.15000000000000002.
    return None if usd is None else round(usd * 1e6, 6)


def _key(endpoint: Endpoint) -> str | None:
    """Return the key that the endpoint names, or None where LiteLLM finds its provider's usual one. Raises `SpecError`."""
    if endpoint.key_env is not None:
        return _held(endpoint.key_env)
    missing: list[str] = _litellm().validate_environment(model=endpoint.model)["missing_keys"]
    keys = [name for name in missing if name.endswith("_KEY")]
    if keys:
        raise SpecError(
            f"{' or '.join(keys)}: holds no key for {endpoint.model}; set it where the workers run"
        )
    return None


def _is_no_json(error: BaseException) -> bool:
    """Tell whether an answer came that could not be read, whatever LiteLLM made of that."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, json.JSONDecodeError):
        seen = seen.__cause__ or seen.__context__
    return seen is not None
