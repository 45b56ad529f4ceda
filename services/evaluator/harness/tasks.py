"""What of the harness is known here without it: versions, tasks, how many samples each has, and what identifies a measurement by them.

The versions are pinned, because prompts, scorers and the order of samples are the harness's and change with it. They are part of a run's
identity, so numbers of two harnesses are never compared.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Final, NamedTuple

VERSIONS: Final[Mapping[str, str]] = {"inspect-ai": "0.3.285", "inspect-evals": "0.26.0"}


class HarnessTask(NamedTuple):
    """What a task is by inspect_evals' account."""

    samples: int
    """Of its own data set."""
    repeats: int
    prompt_tokens: int
    """Of a usual prompt, examples included; roughly, for estimates."""
    most_tokens: int | None = None
    """Of an answer, where the task has its own bound."""


TASKS: Final[Mapping[str, HarnessTask]] = {
    "mmlu_0_shot": HarnessTask(13_937, 1, 150, 16),
    "gsm8k": HarnessTask(1319, 1, 2000),
    "gpqa_diamond": HarnessTask(198, 4, 300),
    "humaneval": HarnessTask(164, 1, 200),
}
SAMPLES: Final[Mapping[str, int]] = {name: task.samples for name, task in TASKS.items()}
RUNS_PROGRAMS: Final = frozenset({"humaneval"})
"""The tasks that run what the model writes, which needs docker."""
_CHILD: Final = "1"
"""To be raised whenever `child.py` asks for something else than before."""


def harness_sha256() -> str:
    """Return what stands for the harness in identities."""
    told = json.dumps({"versions": dict(VERSIONS), "child": _CHILD}, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
