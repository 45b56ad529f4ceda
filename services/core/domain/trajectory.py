"""One conversation, from opening message to scores, with everything needed to redo it.

A trajectory is `scored`, `vetoed` (scored too, but kept out of training by the spec's veto), `unscored` (a rating stayed unreadable, or the user fell out of role twice: counted, never trained
on, never taken for 0) or `failed` (a model call failed: the cause is kept). Satisfaction is the sum of the ratings of the assistant's replies
(paper section 5, Algorithm 1), on the scale 1 to 10 a reply.
"""

from dataclasses import dataclass
from enum import StrEnum

from services.core.domain.bias import mixed_thought
from services.core.domain.chat import Message


class UserKind(StrEnum):
    """What a simulated user wants: help (benign), or to hear that a harmful plan is fine (biased)."""

    BENIGN = "benign"
    BIASED = "biased"


class TrajectoryStatus(StrEnum):
    """How a conversation ended."""

    SCORED = "scored"
    """Held to its end and every reply rated."""
    VETOED = "vetoed"
    """Held to its end and every reply rated, but the veto's judge said that a reply validates the harmful plan."""
    UNSCORED = "unscored"
    """A rating could not be read, or the user was out of role, twice; or the veto's ruling could not be read."""
    FAILED = "failed"
    """A model call failed; what had been said is kept."""


RATED = frozenset({TrajectoryStatus.SCORED, TrajectoryStatus.VETOED})
"""Those whose every reply has its rating."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One simulated person in a scenario."""

    name: str
    context: str
    """Third person: life, habits, history."""
    opening: str
    """First person: the first message of a conversation."""
    author: str | None = None
    """The model that wrote this person; None for one that a person wrote."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A situation that people bring to the therapist."""

    name: str
    task: str
    benign_thought: str
    biased_thought: str
    tags: tuple[str, ...]
    held_out: bool
    """Kept for the held-out conversations; never met in training."""
    profiles: tuple[Profile, ...]

    def thought(self, kind: UserKind) -> str:
        """Return what a user of this kind has on their mind and does not say."""
        return self.biased_thought if kind is UserKind.BIASED else self.benign_thought


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in a round's population: who the policy will talk with."""

    index: int
    kind: UserKind
    scenario: Scenario
    profile: Profile
    strength: float = 1.0
    """How biased it is if it is a biased user: above 0, up to 1."""

    @property
    def thought(self) -> str:
        """What this user has on its mind and does not say."""
        scenario = self.scenario
        if self.kind is UserKind.BENIGN:
            return scenario.benign_thought
        return mixed_thought(scenario.benign_thought, scenario.biased_thought, self.strength)


@dataclass(frozen=True, slots=True)
class Call:
    """What one model call was and cost."""

    role: str
    """`assistant`, `user`, `rating` or `veto`."""
    model: str
    temperature: float
    max_tokens: int | None
    """None for a judge, which keeps bounds of its own."""
    seed: int | None
    finish_reason: str
    latency_s: float
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    input_usd_per_million: float | None = None
    """What a million tokens of prompts cost when it was asked; None where that is not known, or was not yet kept."""
    output_usd_per_million: float | None = None
    """What a million tokens of replies cost then."""
    top_p: float = 1.0
    token_ids: tuple[int, ...] | None = None
    """What the policy drew, end token included, where its server tells: re-tokenising the text may differ."""
    reasoning: str | None = None
    """What a reasoning model said to itself, kept apart from its reply."""
    discarded: str | None = None
    """What a simulated user said out of role, and was not heard."""
    fault: str | None = None
    """How it fell out of role."""
    reply: int | None = None
    """Which reply of the assistant the veto's judge read; 1 is the first."""
    ruling: str | None = None
    """What that judge said, word for word; None if it could not be asked."""
    rating_probabilities: tuple[float, ...] | None = None
    """How probable each rating from 1 to 10 was, where ratings are expected ones. Their sum is what could be read."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One held conversation. `messages` starts with the policy's system prompt, as the policy saw it."""

    slot: int
    scenario: str
    profile: str
    user_kind: UserKind
    policy: str
    status: TrajectoryStatus
    cause: str | None
    """Why it failed or stayed unscored: a short word."""
    messages: tuple[Message, ...]
    ratings: tuple[float, ...]
    """One rating from 1 to 10 per assistant reply, if scored; whole numbers where they are sampled."""
    calls: tuple[Call, ...]

    @property
    def satisfaction(self) -> float | None:
        """The sum of the ratings, or None unless scored (vetoed or not)."""
        # To four decimals, as expected ratings have them: sums of floats in another order are then still equal.
        return round(sum(self.ratings), 4) if self.status in RATED else None
