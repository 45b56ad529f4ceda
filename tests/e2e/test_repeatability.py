"""The same spec gives the same conversations, selections, adapters and outcomes, however it is worked."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.core.db import runs
from tests.e2e.installation import fresh, run_facts
from tests.e2e.small_run import EVERYTHING, SHARES, SmallSweep

FEW: dict[str, Any] = {"population": {"conversations": 16}, "evaluation": {"benchmarks": ["held_out"]}}


def worked(spec: dict[str, Any], in_flight: int, shard_size: int, workers: int) -> dict[str, Any]:
    """Work a spec in an installation of its own; return its facts."""
    concurrency = {"in_flight": in_flight, "shard_size": shard_size}
    with fresh() as installation, installation.server():
        path = installation.spec(**spec, concurrency=concurrency)
        done = installation.run("launch", path, DRIFTLOOP_WORKERS=workers)
        assert done.code == 0, done.err
        with installation.database() as session:
            (run,) = runs.list_runs(session)
            facts = run_facts(session, run.id)
    assert facts["trajectories"][1]
    assert facts["selections"][1]
    assert facts["outcomes"][1]
    return facts


@pytest.mark.slow
def test_one_at_a_time_in_one_worker_as_many_at_once_in_two() -> None:
    assert worked(FEW, in_flight=1, shard_size=100, workers=1) == worked(
        FEW, in_flight=64, shard_size=3, workers=2
    )


@pytest.fixture(scope="module")
def everything(small_sweep: SmallSweep) -> Iterator[dict[str, Any]]:
    """The facts of an arm of the session's sweep, with every benchmark."""
    with small_sweep.installation.database() as session:
        yield run_facts(session, small_sweep.run_ids[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("in_flight", "shard_size", "workers"), [(1, 40, 2), (8, 100, 1), (8, 7, 2), (64, 9, 1), (64, 100, 2)]
)
def test_any_concurrency(everything: dict[str, Any], in_flight: int, shard_size: int, workers: int) -> None:
    spec = EVERYTHING | {"population": {"biased_share": SHARES[1]}}
    assert worked(spec, in_flight, shard_size, workers) == everything
