"""What a measurement asks, before it is made: every item is gone through with stand-ins for the policy and the judges.

The calls are those of the benchmarks' own plans, since these are what is gone through, and prompts are the rows' own. Every reply is taken
to be readable: whatever comes back empty, unsplit or unread asks for fewer or more. Where a second judge reads a share of the items, it is
drawn by another seed than the run's, so that seeds of a sweep need one rehearsal; its calls are then near, and not exact.
"""

import asyncio
from collections.abc import Sequence

from services.core.domain.chat import ChatRequest, Message, Sampling
from services.core.domain.estimate import CHARACTERS_A_TOKEN, Calls, summed
from services.core.domain.spec import EvaluationSpec
from services.core.domain.verdict import Benchmark
from services.core.llm.rehearsal import RULING, StandIn
from services.evaluator.asking import Converse, Examination, together
from services.evaluator.harness.rows import HarnessRow
from services.evaluator.harness.tasks import TASKS
from services.evaluator.items import EvaluationItem
from services.evaluator.judging.model_judge import ModelJudge
from services.evaluator.judging.panel import Panel
from services.evaluator.judging.prompts import PromptPack
from services.evaluator.runner import examine


def one_measurement(
    spec: EvaluationSpec,
    policy: str,
    items: Sequence[EvaluationItem],
    prompts: PromptPack,
    converse: Converse,
) -> tuple[Calls, ...]:
    """Return the calls of one measurement; `converse` notes those of held-out conversations itself."""
    found: list[Calls] = []
    for benchmark in Benchmark:
        asked = [item for item in items if item.benchmark is benchmark]
        found += _rehearsed(spec, policy, asked, prompts, converse, benchmark)
    return summed(found)


def _rehearsed(
    spec: EvaluationSpec,
    policy: str,
    items: Sequence[EvaluationItem],
    prompts: PromptPack,
    converse: Converse,
    benchmark: Benchmark,
) -> list[Calls]:
    kind = "assistant" if benchmark is Benchmark.HELD_OUT else benchmark.value
    model, judges = StandIn(kind), {name: StandIn("ruling", RULING) for name in spec.panel.values()}
    panel = {part: judge(name, judges[name], prompts, spec) for part, name in spec.panel.items()}
    second, reader = spec.judges.second, StandIn("ruling", RULING)
    beside = judge(second, reader, prompts, spec) if second else None
    examination = Examination(policy, model, Panel(**panel), converse, spec, run_seed=0, second=beside)

    async def all_of_them() -> None:
        await together(*(_gone_through(item, examination) for item in items))

    asyncio.run(all_of_them())
    rulings = [judges[name].asked(benchmark.value, "judge", name) for name in judges]
    rulings.append(reader.asked(benchmark.value, "judge", second or ""))
    return [one for one in (model.asked(benchmark.value, "assistant", policy), *rulings) if one.calls]


async def _gone_through(item: EvaluationItem, examination: Examination) -> None:
    """Ask what an item asks; a harness's own prompts are not known here, but how many there are and how long they usually are."""
    if not isinstance(item.row, HarnessRow):
        await examine(item, examination)
        return
    task, most = TASKS[item.row.task], examination.spec.most_tokens(item.benchmark)
    prompt = Message("user", " " * (task.prompt_tokens * CHARACTERS_A_TOKEN))
    sampling = Sampling(1.0, task.most_tokens or most, seed=0)
    for _ in range(task.repeats):
        await examination.model.chat(ChatRequest(examination.policy, (prompt,), sampling))


def judge(name: str, model: StandIn, prompts: PromptPack, spec: EvaluationSpec) -> ModelJudge:
    """Return a judge that asks a stand-in."""
    return ModelJudge(name, model, prompts, spec.judges.max_tokens)
