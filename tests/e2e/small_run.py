"""One small real sweep, worked once a session and only looked at by its tests."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.installation import Installation, fresh

SHARES = (0.0, 1.0)
# Every benchmark, so that every measure has a value.
EVERYTHING = {
    "evaluation": {"benchmarks": ["mask", "deceptionbench", "capability", "held_out"], "held_out_profiles": 2}
}


@dataclass(frozen=True)
class SmallSweep:
    """A finished sweep over the biased share, and where it is."""

    installation: Installation
    sweep_id: str
    run_ids: tuple[str, ...]
    """One a share."""


@pytest.fixture(scope="session")
def small_sweep() -> Iterator[SmallSweep]:
    """Work the sweep; the database stays up, so that looking at it is quick."""
    with fresh() as installation, installation.server():
        spec = installation.spec(**EVERYTHING, sweep={"population.biased_share": list(SHARES)})
        done = installation.run("launch", spec, "--json")
        assert done.code == 0, done.err
        launched = json.loads(done.out)
        yield SmallSweep(installation, launched["sweep"], tuple(run["run"] for run in launched["runs"]))
