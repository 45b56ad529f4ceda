"""What a run asks of whom: the simulator's and the evaluator's rehearsals put together, and how fast policies are taken to be."""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from services.core.domain.estimate import Calls, Speed, summed
from services.core.domain.spec import ConversationSpec, EvaluationSpec, RunSpec
from services.core.domain.verdict import Benchmark
from services.core.llm.rehearsal import RULING, StandIn
from services.evaluator.items import EvaluationItem
from services.evaluator.judging.prompts import PromptPack
from services.evaluator.rehearsal import judge, one_measurement
from services.simulator.rehearsal import UnheardTalks, one_conversation
from services.simulator.scenarios import Environment

POCKET_SPEED: Final = Speed(prompt=20_000, completion=2_000, training=10_000)
"""Of the pocket policy on a core."""
GPU_SPEED: Final = Speed(prompt=160_000, completion=24_000, training=60_000)
"""Of a model of a billion parameters on one GPU of 80 GB; of a larger one in inverse proportion. Training is measured (docs/serving.md), the
rest assumed."""
USUAL_BILLIONS: Final = 8.0
_BYTES_A_PARAMETER: Final = 2
_SIZE = re.compile(r"(?<![a-z0-9.])([0-9]+(?:\.[0-9]+)?)b(?![a-z0-9])")


class Asking(NamedTuple):
    """All of a spec that decides what a measurement asks."""

    policy: str
    environment: str
    conversation: ConversationSpec
    evaluation: EvaluationSpec

    @classmethod
    def of(cls, spec: RunSpec) -> "Asking":
        """Return a spec's."""
        return cls(spec.policy, spec.population.environment, spec.conversation, spec.evaluation)


def talked(
    spec: RunSpec, environment: Environment, prompts: PromptPack, models: AbstractSet[str]
) -> tuple[Calls, ...]:
    """Return the calls of one conversation that trains; none where rows of training sets do."""
    if spec.data.is_told:
        return ()
    veto = judge(spec.mitigations.veto, StandIn("ruling", RULING), prompts, spec.evaluation)
    asked = one_conversation(spec, environment, veto if spec.mitigations.has_veto else None)
    return tuple(_unless_of_rules(one, models) for one in asked)


def measured(
    asking: Asking,
    environment: Environment,
    items: Sequence[EvaluationItem],
    prompts: PromptPack,
    models: AbstractSet[str],
) -> tuple[Calls, ...]:
    """Return the calls of one measurement, held-out conversations included."""
    talks = UnheardTalks(asking.conversation, asking.policy, environment, Benchmark.HELD_OUT.value)
    asked = one_measurement(asking.evaluation, asking.policy, items, prompts, talks)
    return tuple(_unless_of_rules(one, models) for one in summed((*asked, *talks.calls)))


def _unless_of_rules(calls: Calls, models: AbstractSet[str]) -> Calls:
    """Take the tokens off what is no model's: users and judges made of rules are asked, and read none."""
    if calls.model in models:
        return calls
    return replace(calls, prompt_tokens=0, completion_tokens=0, most_completion_tokens=0)


def gpu_speed(name: str, folder: Path) -> Speed:
    """Return how fast a base model is taken to be on a GPU: by the size of its files, else by its name (such as llama-3.1-8b)."""
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    named = _SIZE.search(name)
    by_name = float(named[1]) if named else USUAL_BILLIONS
    billions = size / _BYTES_A_PARAMETER / 1e9 or by_name
    return Speed(*(tokens_s / billions for tokens_s in GPU_SPEED))
