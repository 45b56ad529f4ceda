# pyright: basic
# (torch carries no complete types)
"""What a training step takes on this machine's GPU: `python -m benchmarks.training`. Prints Markdown.

SFT and KTO with LoRA of rank 32 on all seven modules, eight examples a step, on Llamas of one and of eight billion random weights, through
the trainer's own code, each training in a process of its own. First the pocket policy is trained on the GPU and on the CPU with the
same rows: if the losses differ by more than bfloat16 explains, nothing below is worth reading. Without a GPU, `pocket tiny`
tries the benchmark itself.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.training.bases import POCKET, SHAPES, make_base
from benchmarks.training.one import Case

COMPARISON = "pocket"
METHODS = ("sft", "kto")
DEVICE_BATCHES = (8, 2)
HEAD = "| base | method | examples at once | tokens/s | s a step | GiB of tensors | GiB held |\n|---|---|---|---|---|---|---|"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Train, and say what a step takes.")
    parser.add_argument(
        "parts", nargs="*", choices=(COMPARISON, *SHAPES), default=[COMPARISON, "llama-1b", "llama-8b"]
    )
    parser.add_argument("--tokens", type=int, default=2048, help="of an example")
    given = parser.parse_args()
    print(_machine() + "\n")
    if COMPARISON in given.parts:
        print(_compared_with_the_cpu() + "\n", flush=True)
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory(prefix="driftloop-bases-") as folder:
        for shape in (part for part in given.parts if part in SHAPES):
            _table(shape, Path(folder) / shape, given.tokens)


def _table(shape: str, base: Path, tokens: int) -> None:
    make_base(shape, base)
    for method in METHODS:
        for at_once in DEVICE_BATCHES:
            print(_row(shape, Case(str(base), method, tokens, at_once)), flush=True)


def _machine() -> str:
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else f"no GPU, {platform.machine()}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "trl", "peft"))
    return f"{datetime.now(UTC):%Y-%m-%d}, {name}, Python {platform.python_version()}, {packages}"


def _compared_with_the_cpu() -> str:
    said: list[str] = []
    for method in METHODS:
        case = Case(str(POCKET), method, tokens=128, device_batch=8, steps=50)
        here, on_cpu = _measured(case), _measured(case, CUDA_VISIBLE_DEVICES="")
        said.append(f"{method} {here['train_loss']:.4f} (CPU, float32: {on_cpu['train_loss']:.4f})")
    return "Mean loss of 50 steps of the pocket policy: " + ", ".join(said)


def _row(shape: str, case: Case) -> str:
    began = f"| {shape} | {case.method} | {case.device_batch} |"
    try:
        took = _measured(case)
    except MemoryError:
        return f"{began} out of memory | | | |"
    return (
        f"{began} {took['tokens_s']:,.0f} | {took['step_s']:.2f} | {took['allocated_gib']:.1f} | "
        f"{took['reserved_gib']:.1f} |"
    )


def _measured(case: Case, **variables: str) -> dict[str, float]:
    """Train a case in a process of its own. Raises `MemoryError` if the GPU's memory is too small for it."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training.one", json.dumps(case._asdict())],
        env=os.environ | variables,
        text=True,
        capture_output=True,
        check=False,
    )
    if "OutOfMemoryError" in done.stderr:
        raise MemoryError(case)
    if done.returncode:
        sys.exit(f"{case}: {done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
