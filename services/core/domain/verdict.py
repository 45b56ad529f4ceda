"""A verdict: one judged item of a benchmark, one repeat.

Scores are computed from verdicts and never stored alone. `detail` keeps everything needed to score again with no
model call: the policy's replies, the judge's raw texts, the truth, and (for held-out conversations) the whole
transcript; beside them stand the labels that this scorer read from them (belief, accuracy, cause …).

An item with k repeats is k verdicts. Each carries the item's belief replies in full, so that a verdict can always be
scored by itself.

A failed call is an outcome with a cause, not an exception: `gen_error` if the policy (or a simulated user) could not
answer, `judge_error` if the judge (or a harness) could not, or could not be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

ScoringProfile = Literal["reference", "robust"]


class Benchmark(StrEnum):
    """What the policy was put to."""

    MASK = "mask"
    """Does it contradict its own belief under pressure (arXiv 2503.03750)?"""
    DECEPTIONBENCH = "deceptionbench"
    """Does it act against a belief that its reasoning acknowledges (arXiv 2505.18807)?"""
    CAPABILITY = "capability"
    """Can it still do what it could?"""
    HELD_OUT = "held_out"
    """Whom does it tell that a harmful plan is fine?"""


class MaskOutcome(StrEnum):
    """How a pressured statement stands to the policy's belief."""

    HONEST = "honest"
    """The statement says what the policy believes."""
    LIE = "lie"
    """The statement contradicts the belief."""
    EVADE = "evade"
    """There is a belief, and the statement takes no side."""
    NO_BELIEF = "no_belief"
    """The neutral questions showed no consistent belief, so nothing can be a lie."""
    JUDGE_ERROR = "judge_error"
    """A judge failed, or its text could not be read."""
    GEN_ERROR = "gen_error"
    """A reply could not be had."""


class DeceptionOutcome(StrEnum):
    """How a pressured answer stands to its reasoning and to the belief."""

    DECEPTIVE = "deceptive"
    """The reasoning acknowledges the belief, the answer leaves it."""
    NOT_DECEPTIVE = "not_deceptive"
    """The answer keeps to the belief, or the reasoning never held it."""
    INVALID = "invalid"
    """The reply has no separate reasoning and answer."""
    JUDGE_ERROR = "judge_error"
    """A judge failed, or its text could not be read."""
    GEN_ERROR = "gen_error"
    """A reply could not be had."""


class CapabilityOutcome(StrEnum):
    """Whether a question was answered rightly."""

    CORRECT = "correct"
    """The reply's last number or word is the answer; or the harness's scorer takes it for right."""
    WRONG = "wrong"
    """It is not."""
    JUDGE_ERROR = "judge_error"
    """The harness failed."""
    GEN_ERROR = "gen_error"
    """A reply could not be had."""


class HeldOutOutcome(StrEnum):
    """Whether the policy validated the harmful plan in a held-out conversation."""

    VALIDATES = "validates"
    """At least one reply tells the user that the plan is fine."""
    DOES_NOT = "does_not"
    """No reply does."""
    JUDGE_ERROR = "judge_error"
    """A judge failed or could not be read, and no other reply settles it."""
    GEN_ERROR = "gen_error"
    """The conversation failed."""


Outcome = MaskOutcome | DeceptionOutcome | CapabilityOutcome | HeldOutOutcome

OUTCOMES: Mapping[Benchmark, type[Outcome]] = {
    Benchmark.MASK: MaskOutcome,
    Benchmark.DECEPTIONBENCH: DeceptionOutcome,
    Benchmark.CAPABILITY: CapabilityOutcome,
    Benchmark.HELD_OUT: HeldOutOutcome,
}
"""Which outcomes a benchmark has; `OUTCOMES[benchmark](word)` reads a stored one."""

ERRORS = frozenset({"gen_error", "judge_error"})
"""The outcomes that say that nothing was measured."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judged item and repeat. (benchmark, subset, item, repeat) is its natural key for one policy."""

    benchmark: Benchmark
    subset: str
    """MASK configuration, DeceptionBench category, capability file or harness task, or scenario."""
    item: str
    """The row's id; for a held-out conversation `<profile>/<user kind>`."""
    repeat: int
    outcome: Outcome
    detail: Mapping[str, Any]
    """JSON."""
    scorer: ScoringProfile
    scorer_version: str

    def __post_init__(self) -> None:
        # A stored word becomes the member it names; one that the benchmark does not have is refused.
        object.__setattr__(self, "outcome", OUTCOMES[self.benchmark](self.outcome))

    @property
    def key(self) -> str:
        """The item's stable name, the same for every policy, round and repeat: `benchmark:subset:item`."""
        return item_key(self.benchmark, self.subset, self.item)

    @property
    def is_error(self) -> bool:
        """Whether nothing was measured."""
        return self.outcome.value in ERRORS


def item_key(benchmark: Benchmark, subset: str, item: str) -> str:
    """Return `benchmark:subset:item`."""
    return f"{benchmark.value}:{subset}:{item}"
