# pyright: basic, reportMissingImports=false
# (Inspect AI is installed in an environment of its own, where this file runs alone)
"""The same conversations as an Inspect AI task: `PYTHON inspect_talks.py URL TALKS.jsonl EXCHANGES IN_FLIGHT` prints what it took as JSON."""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from inspect_ai import Task, eval  # noqa: A004
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    get_model,
)
from inspect_ai.solver import solver

_TURNED = {"user": ChatMessageAssistant, "assistant": ChatMessageUser}


def turned(prompt, said):
    """Return the talk as the user model sees it."""
    return [
        ChatMessageSystem(content=prompt),
        *(_TURNED[line.role](content=line.text) for line in said),
    ]


@solver
def talk(model, exchanges):
    """Hold one conversation and have every reply rated."""

    async def solve(state, _generate):
        about = state.metadata
        said = [ChatMessageUser(content=about["opening"])]
        for turn in range(exchanges):
            if turn:
                heard = await model.generate(turned(about["user_prompt"], said))
                said.append(ChatMessageUser(content=heard.completion))
            reply = await model.generate([ChatMessageSystem(content=about["policy_prompt"]), *said])
            said.append(ChatMessageAssistant(content=reply.completion))
        heard = turned(about["user_prompt"], said)
        await asyncio.gather(
            *(model.generate([*heard, ChatMessageUser(content=prompt)]) for prompt in about["rating_prompts"])
        )
        state.messages = said
        return state

    return solve


def main():
    """Run once and print."""
    url, path, exchanges, in_flight = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    config = GenerateConfig(temperature=1.0, max_tokens=48, seed=1, max_connections=4 * in_flight)
    model = get_model("openai-api/fake/pocket", base_url=f"{url}/v1", api_key="none", config=config)
    samples = [Sample(input="talk", metadata=json.loads(line)) for line in path.read_text().splitlines()]
    task = Task(dataset=MemoryDataset(samples), solver=talk(model, exchanges))
    with tempfile.TemporaryDirectory() as logs:
        began, cpu = time.perf_counter(), time.process_time()
        (log,) = eval(
            task, model=model, max_samples=in_flight, log_dir=logs, display="none", log_realtime=False
        )
        took = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
        assert log.status == "success", log.error
        assert len(log.samples or []) == len(samples)
    print(json.dumps(took))


main()
