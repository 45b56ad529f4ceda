"""How much an endpoint may be asked: requests and tokens a minute, kept by whoever asks, together where they share a Redis.

A limit is a pace: permits come evenly, so that in no minute, however it is cut, more are given than the limit; a provider never
has to say 429, and no burst is followed by a standstill. (The generic cell rate algorithm: one number a limit, the time until
which permits are given away.) Tokens are estimated before a call, as characters / 4 + `max_tokens`; what was too much is not given
back, so the limit holds whatever comes.

Without Redis each process keeps its own share of the limit; so does one that loses its Redis, until it is back.
"""

import asyncio
import time
from typing import Any, Protocol, cast

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from services.core.domain.chat import ChatRequest
from services.core.domain.estimate import CHARACTERS_A_TOKEN

CONNECTIONS = 8
"""To Redis, of one worker's calls together."""
_MINUTE_S = 60.0
# Gives the next permits away and says when they may be used, in microseconds from now, by Redis's own clock.
_RESERVE = """
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local free_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local spent_at = free_at + tonumber(ARGV[1])
redis.call('SET', KEYS[1], string.format('%.0f', spent_at), 'PX', math.ceil((spent_at - now) / 1000) + 1000)
return free_at - now
"""
log = structlog.get_logger()


class Limits(Protocol):
    """What a call waits for before it is made."""

    async def wait_for(self, request: ChatRequest) -> None:
        """Return when the call may be made."""
        ...


class Unlimited:
    """No limit."""

    async def wait_for(self, request: ChatRequest) -> None:
        """Return at once."""


class Clock(Protocol):
    """Gives away a limit's permits, in the order in which they are asked for."""

    async def reserve(self, name: str, cost_s: float) -> float:
        """Take permits that cost so much of the limit's time; return in how many seconds they may be used."""
        ...


class OwnClock:
    """The permits of one process."""

    def __init__(self) -> None:
        self._free_at: dict[str, float] = {}

    async def reserve(self, name: str, cost_s: float) -> float:
        """Take permits; return in how many seconds they may be used."""
        now = time.monotonic()
        free_at = max(self._free_at.get(name, 0.0), now)
        self._free_at[name] = free_at + cost_s
        return free_at - now


class SharedClock:
    """The permits of all processes that share a Redis; this process's own while that is away."""

    def __init__(self, redis_url: str):
        # Whoever finds no connection free waits for one: an error would have him keep the limit alone.
        pool = cast("Any", BlockingConnectionPool).from_url(
            redis_url, max_connections=CONNECTIONS, timeout=None
        )
        self._redis = Redis(connection_pool=pool)
        self._own = OwnClock()
        self._is_away = False

    async def reserve(self, name: str, cost_s: float) -> float:
        """Take permits; return in how many seconds they may be used."""
        try:
            answer: Any = await cast("Any", self._redis).eval(
                _RESERVE, 1, f"driftloop:limit:{name}", int(cost_s * 1e6)
            )
        except RedisError as error:
            if not self._is_away:
                log.warning("limits are kept by each worker alone: Redis is away", error=str(error))
            self._is_away = True
            return await self._own.reserve(name, cost_s)
        self._is_away = False
        return int(answer) / 1e6


class EndpointLimits:
    """The limits of one endpoint."""

    def __init__(
        self, name: str, clock: Clock, requests_per_minute: int | None, tokens_per_minute: int | None
    ):
        self._name = name
        self._clock = clock
        self._requests = requests_per_minute
        self._tokens = tokens_per_minute

    async def wait_for(self, request: ChatRequest) -> None:
        """Return when the call may be made."""
        wait_s = 0.0
        if self._requests is not None:
            wait_s = await self._clock.reserve(f"{self._name}:requests", _MINUTE_S / self._requests)
        if self._tokens is not None:
            cost_s = estimated_tokens(request) * _MINUTE_S / self._tokens
            wait_s = max(wait_s, await self._clock.reserve(f"{self._name}:tokens", cost_s))
        if wait_s:
            await asyncio.sleep(wait_s)


def estimated_tokens(request: ChatRequest) -> int:
    """Return about how many tokens a call takes at most."""
    characters = sum(len(said.content) for said in request.messages)
    return characters // CHARACTERS_A_TOKEN + request.sampling.max_tokens
