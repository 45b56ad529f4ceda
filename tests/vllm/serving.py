"""A real vLLM server on the CPU with the pocket weights, as `docker compose` starts it; it can be killed and started again."""

import json
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from services.core.settings import PROJECT
from tests.e2e.installation import await_that

PYTHON = os.environ.get("VLLM_PYTHON")
"""The interpreter of vLLM's own environment; `make test-vllm` sets it."""
WEIGHTS = PROJECT / "services/pocket/weights"


@dataclass
class VllmServer:
    """One server at one address, for as long as a test session."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self) -> dict[str, str]:
        """Return the settings under which `driftloop` uses this server for the pocket policy."""
        return {"DRIFTLOOP_POLICY_URLS": json.dumps({"pocket": self.url})}

    @property
    def log(self) -> str:
        return (self.folder / "vllm.log").read_text(errors="replace")

    def start(self) -> None:
        """Start it and wait until it is healthy (about a minute)."""
        with (self.folder / "vllm.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(PYTHON), "-m", "vllm.entrypoints.openai.api_server", *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | _ENVIRONMENT,
                cwd=self.folder,
            )
        await_that(self._is_healthy, "vLLM to be healthy", every_s=0.5)

    def kill(self) -> None:
        """Kill −9 the server and the processes that it had started."""
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        for process in [*parent.children(recursive=True), parent]:
            process.kill()
        self.process.wait()

    def _arguments(self) -> list[str]:
        settings = {
            "model": WEIGHTS,
            "served-model-name": "pocket",
            "host": "127.0.0.1",
            "port": self.port,
            "dtype": "float32",
            "max-model-len": 1024,
            "max-lora-rank": 32,
            "max-loras": 4,
            "max-cpu-loras": 8,
            # No prompt is ever read in parts: on the CPU vLLM 0.32 breaks down over a seeded one that is (docs/serving.md).
            "max-num-seqs": 64,
            "max-num-batched-tokens": 64 * 1024,
        }
        named = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
        return [*named, "--enable-lora", "--enforce-eager"]

    def _is_healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"vLLM did not start:\n{self.log[-3000:]}"
        try:
            return httpx2.get(f"{self.url}/health", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False


_ENVIRONMENT = {
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    # It would compile its log-probabilities at first use, with a compiler that neither a slim image nor a laptop may have.
    "TORCHDYNAMO_DISABLE": "1",
}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
