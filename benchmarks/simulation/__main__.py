"""The simulator's engine, side by side (`python -m benchmarks.simulation`, about half an hour, and `python -m benchmarks.simulation memory`).

One fake server, 1 s a call, 25, 100 and 400 conversations of five exchanges in flight: the simulator with its database, a bare loop that
makes the same calls (the ceiling), Inspect AI, and the simulator with its users through LiteLLM. Then the simulator and Inspect AI at
no latency. Each is a process of its own; ratios are of neighbours in time, and the medians of the repeats are printed. Prints Markdown.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.processes import python_with, server
from benchmarks.simulation import talks

EXCHANGES = 5
IN_FLIGHT = (25, 100, 400)
WAVES = 3
"""Conversations are this many times those in flight."""
UNDELAYED = 200
"""Conversations at no latency."""
INSPECT = ("inspect-ai==0.3.285", "openai")


class Took(NamedTuple):
    """What one way of holding the conversations took."""

    turns_per_s: float
    """Replies of the policy a second."""
    cpu_ms: float
    """A call, in the process that asks."""
    more: dict[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Compare the simulator's engine with other loops.")
    parser.add_argument("what", nargs="?", choices=["speed", "memory"], default="speed")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--inspect", type=Path, help="A Python with inspect-ai and openai; by default one is made."
    )
    parser.add_argument("--conversations", type=int, default=20_000, help="Of the memory run.")
    given = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}\n")
    if given.what == "memory":
        _memory(given.conversations)
        return
    with python_with(INSPECT, given.inspect) as inspect:
        _delayed(inspect, given.repeats)
        _undelayed(inspect, given.repeats)


def _delayed(inspect: Path, repeats: int) -> None:
    print("| in flight | way | turns/s | of the bare loop | CPU ms a call |\n|---|---|---|---|---|")
    for in_flight in IN_FLIGHT:
        rounds = [_side_by_side(inspect, in_flight) for _ in range(repeats)]
        for way in rounds[0]:
            turns = statistics.median(took[way].turns_per_s for took in rounds)
            ratio = statistics.median(
                took[way].turns_per_s / took["bare loop"].turns_per_s for took in rounds
            )
            cpu_ms = statistics.median(took[way].cpu_ms for took in rounds)
            print(f"| {in_flight} | {way} | {turns:.1f} | {ratio:.2f} | {cpu_ms:.2f} |", flush=True)


def _side_by_side(inspect: Path, in_flight: int) -> dict[str, Took]:
    conversations = WAVES * in_flight
    with server("benchmarks.simulation.server", "--latency-s", 1.0) as url:
        return {
            "driftloop": _ours(url, conversations, in_flight, "wire"),
            "bare loop": _bare(url, conversations, in_flight),
            "driftloop, users by LiteLLM": _ours(url, conversations, in_flight, "litellm"),
            "Inspect AI": _inspected(inspect, url, conversations, in_flight),
        }


def _undelayed(inspect: Path, repeats: int) -> None:
    print("\n| no latency, 100 in flight | turns/s | CPU ms a call |\n|---|---|---|")
    pairs: list[tuple[Took, Took]] = []
    with server("benchmarks.simulation.server", "--latency-s", 0.0) as url:
        for _ in range(repeats):
            ours = _ours(url, UNDELAYED, 100, "wire")
            pairs.append((ours, _inspected(inspect, url, UNDELAYED, 100)))
    for place, way in enumerate(("driftloop", "Inspect AI")):
        turns = statistics.median(pair[place].turns_per_s for pair in pairs)
        print(f"| {way} | {turns:.1f} | {statistics.median(pair[place].cpu_ms for pair in pairs):.2f} |")
    ratio = statistics.median(ours.turns_per_s / other.turns_per_s for ours, other in pairs)
    print(f"\nMedian of the ratios: {ratio:.1f}")


def _memory(conversations: int) -> None:
    with server("benchmarks.simulation.server", "--latency-s", 0.0) as url:
        arguments = [url, conversations, 2, 400, "wire", 1000]
        took = _told([sys.executable, "-m", "benchmarks.simulation.ours", *arguments])
    memory: list[float] = took["memory_mib"]
    print("| conversations | resident memory, MiB |\n|---|---|")
    for part in range(5):
        place = round(part / 4 * (len(memory) - 1))
        print(f"| {place * 1000:,} | {memory[place]:.0f} |")
    print(
        f"\n{took['wall_s']:.0f} s; selecting the best and worst halves after it: {took['selection_s']:.2f} s"
    )


def _ours(url: str, conversations: int, in_flight: int, way: str) -> Took:
    arguments = [url, conversations, EXCHANGES, in_flight, way]
    return _took([sys.executable, "-m", "benchmarks.simulation.ours", *arguments], conversations)


def _bare(url: str, conversations: int, in_flight: int) -> Took:
    arguments = [url, conversations, EXCHANGES, in_flight]
    return _took([sys.executable, "-m", "benchmarks.simulation.bare", *arguments], conversations)


def _inspected(python: Path, url: str, conversations: int, in_flight: int) -> Took:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "talks.jsonl"
        talks.write(path, conversations, EXCHANGES)
        script = Path(__file__).with_name("inspect_talks.py")
        return _took([python, script, url, path, EXCHANGES, in_flight], conversations)


def _took(command: Sequence[object], conversations: int) -> Took:
    told = _told(command)
    calls = conversations * talks.calls_of(EXCHANGES)
    return Took(conversations * EXCHANGES / told["wall_s"], told["cpu_s"] / calls * 1000, told)


def _told(command: Sequence[object]) -> dict[str, Any]:
    # LiteLLM asks nobody without a key.
    keyed = os.environ | {"OPENAI_API_KEY": "none"}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, env=keyed)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
