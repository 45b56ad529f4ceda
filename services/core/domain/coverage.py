"""How much of a measurement could be judged, and whether that is enough.

What a judge failed on is left out of the rates. That may bias them, since what is hard to judge may be what differs; so a measurement
with more than a spec's share of such rows is *incomplete*: its numbers are shown, with how much they rest on.
"""

from collections.abc import Mapping

from services.core.domain.verdict import Benchmark
from services.core.stats.rates import Rate

JUDGE_FAILURES: Mapping[Benchmark, str] = {
    Benchmark.MASK: "judge_failure_share",
    Benchmark.DECEPTIONBENCH: "deception_judge_failure_share",
    Benchmark.CAPABILITY: "capability_judge_failure_share",
    Benchmark.HELD_OUT: "held_out_judge_failure_share",
}
"""The measure of each judged benchmark that says which share of its items' verdicts lacks a ruling that can be read. Capability is judged by a
harness, if one measures it."""


def judge_failures(measures: Mapping[str, Rate]) -> dict[Benchmark, Rate]:
    """Return the share of rows that the judge failed on, for every judged benchmark that was measured."""
    found = {benchmark: measures.get(name) for benchmark, name in JUDGE_FAILURES.items()}
    return {benchmark: rate for benchmark, rate in found.items() if rate is not None and rate.n}


def incomplete(measures: Mapping[str, Rate], most: float) -> tuple[Benchmark, ...]:
    """Return the benchmarks whose judge failed on more than the share `most` of the rows."""
    return tuple(
        benchmark
        for benchmark, rate in judge_failures(measures).items()
        if rate.value is not None and rate.value > most
    )
