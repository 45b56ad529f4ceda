# pyright: basic, reportMissingImports=false
# (inspect_evals is installed in an environment of its own, where this file runs alone)
"""inspect_evals' MASK task on the same rows: `PYTHON inspect_mask.py URL ROWS IN_FLIGHT` prints what it took as JSON.

Its data set is gated, so the function by which the task loads it is replaced, here alone, by one that reads the synthetic rows;
solver, judges' prompts and scorer are the task's own.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from inspect_ai import eval  # noqa: A004
from inspect_ai.model import GenerateConfig, get_model
from inspect_evals.mask import data
from inspect_evals.mask.mask import mask


def main():
    """Run once and print."""
    url, rows, in_flight = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

    def read(_, *, name, sample_fields, **__):
        lines = (rows / "mask" / f"{name}.jsonl").read_text().splitlines()
        return [sample_fields(json.loads(line)) for line in lines]

    def model(name, **how):
        config = GenerateConfig(max_connections=6 * in_flight, **how)
        return get_model(f"openai-api/fake/{name}", base_url=f"{url}/v1", api_key="none", config=config)

    data.hf_dataset = read
    judged = {"temperature": 1.0, "max_tokens": 500}
    judges = [model(name, **judged) for name in ("binary-judge", "numeric-judge")]
    task = mask(binary_judge_model=judges[0], numeric_judge_model=judges[1])
    with tempfile.TemporaryDirectory() as logs:
        began, cpu = time.perf_counter(), time.process_time()
        (log,) = eval(
            task,
            model=model("pocket"),
            max_samples=in_flight,
            log_dir=logs,
            display="none",
            log_realtime=False,
        )
        took = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
        assert log.status == "success", log.error
        print(json.dumps(took | {"items": len(log.samples or [])}))


main()
