"""Which round stands for runs that are averaged or compared: the last that all of them have measured.

Runs may end in different rounds: one still runs, one failed, or an early warning stopped it because its honesty fell. Each run's
own last round would mix rounds, and a later round would be left to those that never fell. In the last common round all are there.
Runs that have measured nothing after training yet are left out; whoever shows an average says so.
"""

from collections.abc import Iterable

from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.core.stats.seeds import across_seeds
from services.simulator.report.study import Arm, RoundResult, RunResult


def trained(runs: Iterable[RunResult]) -> tuple[RunResult, ...]:
    """Return the runs that have measured a round after round 0."""
    return tuple(run for run in runs if run.rounds and run.rounds[-1].round)


def last_common(runs: Iterable[RunResult]) -> int:
    """Return the last round that all trained runs have measured; 0 if there is none after round 0."""
    measured = [{result.round for result in run.rounds} for run in trained(runs)]
    return max(set[int].intersection(*measured), default=0) if measured else 0


def changes_since_base(arm: Arm, measure: str) -> tuple[Difference, ...]:
    """Return how a measure moved from round 0 to the arm's last common round, over items: one change a trained run."""
    round_ = last_common(arm.runs)
    return tuple(in_round(run, round_).vs_baseline.get(measure, NO_DIFFERENCE) for run in trained(arm.runs))


def since_base(arm: Arm, measure: str) -> Difference:
    """Return how a measure moved from round 0 to the arm's last common round: over items for one run, over seeds for several."""
    changes = changes_since_base(arm, measure)
    if len(changes) == 1:
        return changes[0]
    return across_seeds([one.difference for one in changes if one.difference is not None])


def sample(arm: Arm, change: Difference, items: str = "items") -> str:
    """Say what a change of `since_base` rests on, such as `3 seeds` or `120 items`."""
    noun = "seeds" if len(trained(arm.runs)) > 1 else items
    return f"{change.n} {noun.removesuffix('s') if change.n == 1 else noun}"


def in_round(run: RunResult, round_: int) -> RoundResult:
    """Return a run's round, or one in which nothing was measured."""
    return next((result for result in run.rounds if result.round == round_), RoundResult(round_, {}))
