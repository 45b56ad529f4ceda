"""A full MASK pass, side by side (`python -m benchmarks.evaluation`, about five minutes).

1,000 synthetic rows, 4,438 replies and 4,246 rulings from a local server that answers at once: the evaluate phase with its database,
and inspect_evals' MASK task. Each is a process of its own; both are asked in turn, medians of the repeats are printed as Markdown,
with the calls that the server counted.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.evaluation import rows
from benchmarks.evaluation.server import POLICY
from benchmarks.processes import python_with, server

IN_FLIGHT = 64
"""Items at once: the default of a run."""
INSPECT = ("inspect-ai==0.3.285", "inspect-evals==0.26.0", "openai")


class Took(NamedTuple):
    """What one pass took."""

    wall_s: float
    cpu_s: float
    """In the process that asks."""
    replies: int
    rulings: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Compare the evaluate phase with inspect_evals.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--inspect", type=Path, help="A Python with inspect-evals and openai; by default one is made."
    )
    given = parser.parse_args()
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n"
    )
    with python_with(INSPECT, given.inspect) as inspect, tempfile.TemporaryDirectory() as folder:
        rows.write(Path(folder))
        ours = [sys.executable, "-m", "benchmarks.evaluation.ours"]
        theirs = [inspect, Path(__file__).with_name("inspect_mask.py")]
        pairs = [(_took(ours, folder), _took(theirs, folder)) for _ in range(given.repeats)]
    _print(pairs)


def _print(pairs: Sequence[tuple[Took, Took]]) -> None:
    assert all(ours.rulings == rows.JUDGE_CALLS for ours, _ in pairs)
    print("| one MASK pass | seconds | CPU ms a call | replies | rulings |\n|---|---|---|---|---|")
    for place, way in enumerate(("driftloop, all stored in Postgres", "inspect_evals")):
        took = [pair[place] for pair in pairs]
        calls = took[0].replies + took[0].rulings
        wall_s, cpu_s = (
            statistics.median(getattr(one, what) for one in took) for what in ("wall_s", "cpu_s")
        )
        counted = f"{took[0].replies:,} | {took[0].rulings:,}"
        print(f"| {way} | {wall_s:.1f} | {cpu_s / calls * 1000:.2f} | {counted} |")
    ratio = statistics.median(theirs.wall_s / ours.wall_s for ours, theirs in pairs)
    print(f"\nMedian of the ratios: {ratio:.1f}")


def _took(command: Sequence[object], folder: str) -> Took:
    with server("benchmarks.evaluation.server") as url:
        told = _told([*command, url, folder, IN_FLIGHT])
        with urllib.request.urlopen(f"{url}/counts") as answer:
            counts: dict[str, int] = json.load(answer)
    took = Took(told["wall_s"], told["cpu_s"], counts[POLICY], sum(counts.values()) - counts[POLICY])
    # inspect_evals rules on each belief about a number by itself, where MASK's code and ours rule on an item's three together.
    if told["items"] != sum(rows.MASK_ROWS.values()) or took.replies != rows.POLICY_CALLS:
        raise SystemExit(f"{command[-1]}: no full pass: {told}, {counts}")
    return took


def _told(command: Sequence[object]) -> dict[str, Any]:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
