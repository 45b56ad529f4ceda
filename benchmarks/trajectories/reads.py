"""What is read beside lists: runs, drift, transcripts, selections; and choosing the best and the worst of a large round."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from benchmarks.trajectories.lists import PAGE, Draw
from services.core.db import runs, trajectories
from services.core.db.census import census
from services.core.db.selections import RankPlace
from services.core.domain.selection import select
from services.core.operations.drift import run_drift
from services.core.operations.rounds import rounds_of
from services.core.operations.selected import selection_page
from services.simulator.api import paging

Read = Callable[[Session], object]


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing to read."""

    read: Read
    """As the route does."""
    path: str | None
    """Where it is had; None for what a worker does."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Something to read, of something else each time."""

    name: str
    draw: Callable[[Draw], Asked]
    most_repeats: int = 100
    """Fewer for what takes seconds."""


def _runs(_: Draw) -> Asked:
    return Asked(lambda session: runs.list_runs(session, PAGE + 1), "/v1/runs")


def _transcript(draw: Draw) -> Asked:
    found = draw.random.randint(1, draw.study.conversations)
    return Asked(lambda session: trajectories.get(session, found), f"/v1/trajectories/{found}")


def _rounds(draw: Draw) -> Asked:
    run = draw.random.choice(draw.study.arms)
    return Asked(lambda session: rounds_of(session, run), f"/v1/runs/{run.id}/rounds")


def _large_rounds(draw: Draw) -> Asked:
    run = draw.study.large
    return Asked(lambda session: rounds_of(session, run), f"/v1/runs/{run.id}/rounds")


def _drift(draw: Draw) -> Asked:
    run = draw.random.choice(draw.study.arms).id
    return Asked(lambda session: run_drift(session, run), f"/v1/runs/{run}/drift")


def _run_page(draw: Draw) -> Asked:
    run = draw.random.choice(draw.study.arms).id
    return Asked(lambda session: census(session, run), f"/runs/{run}")


def _selection(draw: Draw) -> Asked:
    run, after = draw.study.large.id, RankPlace(draw.random.randint(1, 10_000), 0)
    cursor = paging.encode(*after)
    return Asked(
        lambda session: selection_page(session, run, 1, (), PAGE + 1, after),
        f"/v1/runs/{run}/rounds/1/selection?cursor={cursor}",
    )


def _choice(draw: Draw) -> Asked:
    run, round_ = draw.study.large, draw.random.randint(1, draw.study.large.spec.rounds)

    def choose(session: Session) -> object:
        candidates = trajectories.candidates(session, run.id, round_)
        return select(candidates, run.spec.selection, run.spec.training.method, (run.spec.seed, round_))

    return Asked(choose, None)


def _candidates(draw: Draw) -> Asked:
    run, round_ = draw.study.large.id, draw.random.randint(1, draw.study.large.spec.rounds)
    return Asked(lambda session: trajectories.candidates(session, run, round_), None)


READINGS = (
    Reading("the list of runs", _runs),
    Reading("a whole conversation", _transcript),
    Reading("a run's rounds, summed up", _rounds),
    Reading("the large run's rounds, summed up", _large_rounds),
    Reading("a run's drift", _drift, most_repeats=10),
    Reading("a run's conversations, counted; its page in the browser", _run_page, most_repeats=10),
    Reading("a page of a large round's selection, deep", _selection),
    Reading("a large round's candidates", _candidates),
    Reading("a large round's best and worst quarter, chosen", _choice),
)
