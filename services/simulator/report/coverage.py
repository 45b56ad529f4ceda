"""What could not be judged, in sentences: which rounds are measured incompletely, and how much the others rest on."""

from collections.abc import Iterator

from services.core.domain.coverage import incomplete, judge_failures
from services.core.domain.verdict import Benchmark
from services.simulator.report.study import RunResult, Study
from services.simulator.report.wording import BENCHMARKS


def shortfalls(study: Study) -> tuple[str, ...]:
    """Return a sentence for each round and benchmark whose judge failed on more than the run's spec allows."""
    return tuple(sentence for run in study.runs for sentence in _of_run(run))


def coverage(study: Study) -> str | None:
    """Return how much was judged where least was, or None if everything was."""
    rates = [
        rate
        for run in study.runs
        for result in run.rounds
        for rate in judge_failures(result.measures).values()
    ]
    worst = max((rate for rate in rates if rate.value), key=lambda rate: rate.value or 0.0, default=None)
    if worst is None or worst.value is None:
        return None
    return (
        f"judged: {1 - worst.value:.1%} of the items (n = {worst.n}) where it is least; the rest is left out."
    )


def _of_run(run: RunResult) -> Iterator[str]:
    for result in run.rounds:
        failures = judge_failures(result.measures)
        for benchmark in incomplete(result.measures, run.max_judge_failures):
            value, low, high, n = failures[benchmark]
            span = f" [{low:.1%}, {high:.1%}]" if low is not None and high is not None else ""
            who = "harness" if benchmark is Benchmark.CAPABILITY else "judge"
            yield (
                f"Incomplete: in round {result.round} of run {run.run} the {who} failed on {value or 0.0:.1%}{span} of {BENCHMARKS[benchmark]} "
                f"(n = {n}; {run.max_judge_failures:.0%} is allowed). Its rates rest on the others, which may differ."
            )
