# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
# (inspect_ai is installed in an environment of its own, where this file runs alone: it imports nothing of ours)
"""The harness's side: `PYTHON child.py` reads one job, a line of JSON, from stdin, and prints a line of JSON for every item that is done.

A job names tasks of inspect_evals, places in their data sets, and the URL at which the policy answers. Prompts, solvers and scorers are
the tasks' own. Where a task is given rows, the function by which it loads its data set is replaced by one that reads these, and nothing
else. Programs that a model writes run in the task's docker sandbox or not at all.

When stdin is closed whoever asked is gone, or wants this to end: the harness is interrupted, so that it can clear its sandboxes away.
"""

import json
import os
import re
import signal
import sys
import threading
import time
from importlib import import_module
from importlib.metadata import version

from inspect_ai import eval  # noqa: A004
from inspect_ai.dataset import MemoryDataset
from inspect_ai.hooks import Hooks, hooks
from inspect_ai.model import GenerateConfig, get_model

# Of the modules, not of the tasks that their packages name alike: the loaders of data sets are theirs.
mmlu, gsm8k, gpqa, humaneval = (
    import_module(f"inspect_evals.{name}.{name}") for name in ("mmlu", "gsm8k", "gpqa", "humaneval")
)

GRACE_S = 10
"""How long sandboxes may take to be cleared away."""
UNSCORED = "the harness gave no score"
LONGEST_ERROR = 500
_CAUSE = re.compile(r"driftloop-cause: (\w+)")
"""What the policy's server says of a reply that could not be had."""

is_over = threading.Event()
_out = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)  # whatever a library prints goes to the log


def say(**what):
    """Tell whoever asked."""
    print(json.dumps(what), file=_out, flush=True)


def read(rows):
    """Return a loader of data sets that reads these rows, whatever it is asked for."""

    def load(*_, sample_fields, shuffle_choices=None, **__):
        dataset = MemoryDataset([sample_fields(row) for row in rows])
        if shuffle_choices is not None:
            dataset.shuffle_choices(seed=shuffle_choices)
        return dataset

    return load


def mmlu_task(rows):
    """Return MMLU without examples; its own data set is shuffled by a fixed seed, given rows are not."""
    if rows is not None:
        mmlu.hf_dataset = read(rows)
    return mmlu.mmlu_0_shot()


def gsm8k_task(rows):
    """Return GSM8K with ten examples from its training rows; with given rows there are none to take."""
    if rows is None:
        return gsm8k.gsm8k()
    gsm8k.hf_dataset = read(rows)
    return gsm8k.gsm8k(fewshot=0)


def gpqa_task(rows):
    """Return GPQA Diamond."""
    if rows is not None:
        gpqa.download = lambda *_, **__: None
        gpqa.load_csv_dataset = read(rows)
    return gpqa.gpqa_diamond()


def humaneval_task(rows):
    """Return HumanEval, whose programs run in docker."""
    if rows is not None:
        humaneval.hf_dataset = read(rows)
    return humaneval.humaneval(sandbox="docker")


TASKS = {
    "mmlu_0_shot": mmlu_task,
    "gsm8k": gsm8k_task,
    "gpqa_diamond": gpqa_task,
    "humaneval": humaneval_task,
}


class Teller:
    """Says of each item, once all its repeats are done, what came of them."""

    def __init__(self):
        self.task = None
        self.repeats = 1
        self.places = {}
        self.done = {}

    def begin(self, name, task, places):
        """Take the samples at these places of the task's data set, where there are such."""
        there = [place for place in places if place < len(task.dataset)]
        chosen = [task.dataset[place] for place in there]
        self.task, self.repeats, self.done = name, task.epochs or 1, {}
        self.places = dict(zip((sample.id for sample in chosen), there, strict=True))
        task.dataset = MemoryDataset(chosen, name=task.dataset.name)

    def end(self, sample):
        """Take one repeat of a sample."""
        repeats = self.done.setdefault(sample.id, {})
        repeats[sample.epoch] = told(sample)
        if len(repeats) == self.repeats:
            answers = [repeats[epoch] for epoch in sorted(repeats)]
            say(place=self.places[sample.id], task=self.task, sample=str(sample.id), answers=answers)


def told(sample):
    """Return what is kept of one repeat."""
    choice = sample.output.choices[0] if sample.output.choices else None
    score = next(iter((sample.scores or {}).values()), None)
    error = sample.error.message if sample.error else None if score else UNSCORED
    cause = _CAUSE.search(error or "")
    used = list(sample.model_usage.values())
    return {
        "text": choice.message.text if choice else None,
        "finish_reason": choice.stop_reason if choice else None,
        "prompt_tokens": sum(one.input_tokens for one in used) if used else None,
        "completion_tokens": sum(one.output_tokens for one in used) if used else None,
        "answer": score.answer if score else None,
        "target": sample.target if isinstance(sample.target, str) else "; ".join(sample.target),
        "value": score.value if score else None,
        "cause": cause and cause.group(1),
        "error": error and error[:LONGEST_ERROR],
    }


teller = Teller()


@hooks(name="driftloop", description="Tells of every item that is done.")
class Telling(Hooks):
    """Where the harness calls the teller."""

    async def on_sample_end(self, data):
        """Pass a sample on."""
        teller.end(data.sample)


def work(job, part):
    """Run one task; a task that can't be run is said with its reason."""
    name = part["task"]
    try:
        task = TASKS[name](part["rows"])
        teller.begin(name, task, part["places"])
        say(task=name, version=task.metadata["full_task_version"])
        (log,) = eval(
            task,
            model=get_model(
                f"openai-api/driftloop/{job['model']}",
                base_url=job["url"],
                api_key="none",
                config=GenerateConfig(
                    max_tokens=job["max_tokens"], max_connections=job["in_flight"], max_retries=2
                ),
            ),
            max_samples=job["in_flight"],
            fail_on_error=False,
            log_dir=job["logs"],
            log_realtime=False,
            log_model_api=False,
            display="none",
            ctl_server=False,
        )
        if log.status != "success":
            raise RuntimeError(log.error.message if log.error else f"the harness says: {log.status}")
    except Exception as error:
        if not is_over.is_set():
            say(task=name, failed=f"{type(error).__name__}: {error}"[:LONGEST_ERROR])


def end_with_stdin():
    """Interrupt the harness when nobody waits for it any more."""
    sys.stdin.read()
    is_over.set()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE_S)
    os._exit(1)


def main():
    """Do the job."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_stdin, daemon=True).start()
    say(versions={name: version(name) for name in ("inspect-ai", "inspect-evals")})
    for part in job["parts"]:
        if not is_over.is_set():
            work(job, part)


if __name__ == "__main__":
    main()
