"""What a run comes to before it is launched: calls, tokens, US dollars and hours, by arithmetic on stated assumptions.

Calls are exact as long as nothing fails or has to be asked again. All else is rough. A token is four characters, whoever's tokenizer
counts. A reply has the length that `reply_tokens` assumes, a model that reasons thinks as long before it as its endpoint says, and what
a later call shows of the talk so far is made of such replies. Prices are those of the endpoints. Hours are those of one worker of each
kind that works run after run, a round's phases in turn: what comes first of the policy's server, the hosted models' time a call and
their limits. Starting, loading and waiting for machines is not counted. docs/simulation.md has the assumptions as one table.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from services.core.domain.budget import Limit
from services.core.domain.endpoint import Endpoint
from services.core.domain.selection import counted
from services.core.domain.spec import BudgetSpec, RunSpec
from services.core.domain.trajectory import Call

CHARACTERS_A_TOKEN: Final = 4
TYPICAL_TOKENS: Final[Mapping[str, int]] = {
    "assistant": 200,
    "user": 60,
    "rating": 3,
    "mask": 250,
    "deceptionbench": 500,
    "capability": 250,
    "ruling": 100,
}
"""How long a reply is, if its bound leaves room for twice as much: in conversations by role, in benchmarks by theirs."""
CALL_S: Final = 1.0
"""Until a hosted model begins to answer."""
STREAM_TOKENS_S: Final = 60.0
"""So fast a hosted model writes one answer."""
FULL_BATCH: Final = 64
"""Conversations or items in flight that fill a policy's server; with fewer it is slower in proportion."""
PASSES: Final[Mapping[str, float]] = {"sft": 1.0, "kto": 1.8}
"""Times that training takes for a token, as measured (docs/serving.md): KTO also reads each example with its reference, and mismatched ones."""
CONVERSATIONS: Final = "conversations"
_HOUR_S: Final = 3600.0


def tokens_of(characters: int) -> int:
    """Return about how many tokens a text has."""
    return math.ceil(characters / CHARACTERS_A_TOKEN)


def reply_tokens(kind: str, most: int) -> int:
    """Return how long a reply is assumed to be under a bound of `most` tokens: typical for its kind, and at most half of the bound."""
    return max(1, min(TYPICAL_TOKENS[kind], most // 2))


class Speed(NamedTuple):
    """Tokens a second of what serves and trains a base model."""

    prompt: float
    """Read, of prompts."""
    completion: float
    """Written, of all conversations in flight together."""
    training: float
    """Trained on by SFT."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of one role to one model in one part of a run."""

    part: str
    """`conversations`, or the benchmark."""
    role: str
    """`assistant` (the policy), `user`, `rating`, `veto` or `judge`."""
    model: str
    calls: int
    prompt_tokens: float
    completion_tokens: float
    most_completion_tokens: float
    """If every reply took all that it may."""

    @classmethod
    def of(cls, part: str, call: Call, most: int) -> "Calls":
        """Return one call of a rehearsed conversation; `most` bounds a call that does not say."""
        written = call.completion_tokens or 0
        return cls(part, call.role, call.model, 1, call.prompt_tokens or 0, written, call.max_tokens or most)

    def times(self, factor: int) -> "Calls":
        """Return as many of these calls."""
        return Calls(
            self.part,
            self.role,
            self.model,
            self.calls * factor,
            self.prompt_tokens * factor,
            self.completion_tokens * factor,
            self.most_completion_tokens * factor,
        )

    def shared(self, units: int) -> "Calls":
        """Return the share of one of `units` that ask equally often."""
        return replace(
            self,
            calls=self.calls // units,
            prompt_tokens=self.prompt_tokens / units,
            completion_tokens=self.completion_tokens / units,
            most_completion_tokens=self.most_completion_tokens / units,
        )

    def plus(self, other: "Calls") -> "Calls":
        """Return both together; they are of one part, role and model."""
        return replace(
            self,
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            most_completion_tokens=self.most_completion_tokens + other.most_completion_tokens,
        )


def summed(calls: Iterable[Calls]) -> tuple[Calls, ...]:
    """Return calls with one entry for each part, role and model, in the order in which they first come."""
    found: dict[tuple[str, str, str], Calls] = {}
    for one in calls:
        key = one.part, one.role, one.model
        found[key] = found[key].plus(one) if key in found else one
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Outline:
    """What this installation knows of a run: the calls of its units, who answers them, how fast its policy is."""

    conversation: tuple[Calls, ...]
    """Of one conversation, in the mean over the people; none where training sets train."""
    evaluation: tuple[Calls, ...]
    """Of one measurement of a policy."""
    scenarios: int
    """How many the users come with."""
    hosted: Mapping[str, Endpoint]
    """The hosted models by name. Every other model costs no money."""
    speed: Speed


@dataclass(frozen=True, slots=True)
class Hours:
    """By the clock."""

    conversations: float = 0.0
    training: float = 0.0
    evaluation: float = 0.0

    @property
    def total(self) -> float:
        """All of them, one after the other."""
        return self.conversations + self.training + self.evaluation

    def plus(self, other: "Hours") -> "Hours":
        """Return both, one after the other."""
        return Hours(
            self.conversations + other.conversations,
            self.training + other.training,
            self.evaluation + other.evaluation,
        )


@dataclass(frozen=True, slots=True)
class Estimate:
    """What runs come to."""

    calls: tuple[Calls, ...] = ()
    """Thoughts of models that reason are among the tokens that they write."""
    trained_tokens: float = 0.0
    hours: Hours = Hours()
    hosted: Mapping[str, Endpoint] | None = None

    @property
    def prompt_tokens(self) -> float:
        """Asked."""
        return sum(one.prompt_tokens for one in self.calls)

    @property
    def completion_tokens(self) -> float:
        """Answered."""
        return sum(one.completion_tokens for one in self.calls)

    @property
    def priced_usd(self) -> float:
        """US dollars of the calls whose price is known."""
        return sum(self.usd_of(one) or 0.0 for one in self.calls)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Hosted models whose price is not known."""
        return tuple(sorted({one.model for one in self.calls if self.usd_of(one) is None}))

    @property
    def usd(self) -> float | None:
        """US dollars of all calls; None if a price is not known."""
        return None if self.unpriced else self.priced_usd

    def usd_of(self, calls: Calls) -> float | None:
        """Return what calls cost: nothing where this installation answers itself, None where the price is not known."""
        endpoint = (self.hosted or {}).get(calls.model)
        return 0.0 if endpoint is None else endpoint.cost_usd(calls.prompt_tokens, calls.completion_tokens)

    def plus(self, other: "Estimate") -> "Estimate":
        """Return both, one after the other."""
        return Estimate(
            summed((*self.calls, *other.calls)),
            self.trained_tokens + other.trained_tokens,
            self.hours.plus(other.hours),
            {**(self.hosted or {}), **(other.hosted or {})},
        )


def total(estimates: Iterable[Estimate]) -> Estimate:
    """Return what runs come to together."""
    found = Estimate()
    for one in estimates:
        found = found.plus(one)
    return found


def estimate(spec: RunSpec, outline: Outline, round_tokens: float, evaluations: int) -> Estimate:
    """Return what a run comes to that trains on `round_tokens` a round and epoch, and measures so many policies."""
    talks = 0 if spec.data.is_told else spec.rounds * spec.population.conversations
    talked = _thinking((one.times(talks) for one in outline.conversation), outline)
    asked = _thinking((one.times(evaluations) for one in outline.evaluation), outline)
    trained = spec.rounds * spec.training.epochs * round_tokens
    in_flight = spec.concurrency.in_flight
    hours = Hours(
        _hours(talked, outline, in_flight),
        trained * PASSES[spec.training.method] / outline.speed.training / _HOUR_S,
        _hours(asked, outline, in_flight),
    )
    return Estimate(summed((*talked, *asked)), trained, hours, outline.hosted)


def selected(spec: RunSpec, scenarios: int) -> int:
    """Return how many conversations of a round train, if all of them are scored."""
    pools = scenarios if spec.selection.pool == "scenario" else 1
    size = spec.population.conversations // pools
    top = counted(spec.selection.top, size)
    bottom = min(counted(spec.selection.bottom, size), size - top) if spec.training.method == "kto" else 0
    return pools * (top + bottom)


def selected_tokens(spec: RunSpec, outline: Outline) -> float:
    """Return the tokens of a round's selected conversations: every reply is an example, with all before it as prompt."""
    replies = [one for one in outline.conversation if one.role == "assistant"]
    tokens = sum(one.prompt_tokens + one.completion_tokens for one in replies)
    return selected(spec, outline.scenarios) * tokens * (1 + spec.mitigations.safety_share)


class Overrun(NamedTuple):
    """A limit of a run's budget that the estimate goes beyond."""

    limit: Limit
    allowed: float
    needed: float


def overruns(budget: BudgetSpec, found: Estimate) -> tuple[Overrun, ...]:
    """Return the limits that a run probably reaches before its end, by the part of its price that is known."""
    needed: dict[Limit, float] = {
        "tokens": found.prompt_tokens + found.completion_tokens,
        "usd": found.priced_usd,
        "hours": found.hours.total,
    }
    given: dict[Limit, float | None] = {"tokens": budget.tokens, "usd": budget.usd, "hours": budget.hours}
    return tuple(
        Overrun(limit, allowed, needed[limit])
        for limit, allowed in given.items()
        if allowed is not None and allowed < needed[limit]
    )


def _thinking(calls: Iterable[Calls], outline: Outline) -> tuple[Calls, ...]:
    return tuple(_with_thoughts(one, outline.hosted.get(one.model)) for one in calls if one.calls)


def _with_thoughts(calls: Calls, endpoint: Endpoint | None) -> Calls:
    """Add what a model thinks before its answers, which is paid for as they are and counts against the same bound."""
    if endpoint is None:
        return calls
    written = calls.completion_tokens + calls.calls * endpoint.reasoning_tokens
    return replace(calls, completion_tokens=min(written, calls.most_completion_tokens))


def _hours(calls: tuple[Calls, ...], outline: Outline, in_flight: int) -> float:
    own = sum(
        one.prompt_tokens / outline.speed.prompt + one.completion_tokens / outline.speed.completion
        for one in calls
        if one.role == "assistant"
    )
    hosted = [one for one in calls if one.model in outline.hosted]
    waited = sum(one.calls * CALL_S + one.completion_tokens / STREAM_TOKENS_S for one in hosted)
    taking_turns = own / min(1.0, in_flight / FULL_BATCH) + waited / in_flight
    return max([taking_turns, *_paces(hosted, outline.hosted)]) / _HOUR_S


def _paces(calls: Iterable[Calls], hosted: Mapping[str, Endpoint]) -> Iterable[float]:
    """Yield the seconds that each limit takes. A call counts before it is made, with the longest reply that it may get."""
    for name in {one.model for one in calls}:
        ours = [one for one in calls if one.model == name]
        endpoint = hosted[name]
        if endpoint.requests_per_minute is not None:
            yield 60 * sum(one.calls for one in ours) / endpoint.requests_per_minute
        if endpoint.tokens_per_minute is not None:
            tokens = sum(one.prompt_tokens + one.most_completion_tokens for one in ours)
            yield 60 * tokens / endpoint.tokens_per_minute
