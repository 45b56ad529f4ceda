"""One real vLLM server a session, and a two-round run through it that the tests look at."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.core.db import runs
from tests.e2e.installation import Installation, fresh
from tests.vllm import serving
from tests.vllm.serving import VllmServer, free_port

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = pytest.mark.skip(reason="VLLM_PYTHON names no vLLM environment; `make test-vllm` makes one")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.vllm)
            if serving.PYTHON is None:
                item.add_marker(missing)


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    server = VllmServer(tmp_path_factory.mktemp("vllm"), free_port())
    server.start()
    yield server
    server.kill()


@dataclass(frozen=True)
class TwoRounds:
    """A finished run whose policy vLLM served."""

    installation: Installation
    run_id: str

    def adapter(self, round_: int) -> Path:
        """Return the folder of a round's adapter."""
        return self.installation.data / "adapters" / f"run-{self.run_id}-r{round_}"


@pytest.fixture(scope="session")
def two_rounds(vllm: VllmServer) -> Iterator[TwoRounds]:
    with fresh() as installation:
        spec = installation.spec(
            rounds=2,
            population={"biased_share": 1.0, "conversations": 320},
            training={"learning_rate": 0.002, "batch_size": 16, "lora": {"rank": 16, "alpha": 32}},
            evaluation={"benchmarks": ["mask", "capability", "held_out"], "held_out_profiles": 4},
            concurrency={"in_flight": 64, "shard_size": 160},
        )
        done = installation.run("launch", spec, **vllm.settings())
        assert done.code == 0, done.err
        with installation.database() as session:
            (run,) = runs.list_runs(session)
        yield TwoRounds(installation, run.id)
