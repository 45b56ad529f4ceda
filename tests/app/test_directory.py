"""What names mean here, and what the wiring leaves out until it is needed."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.app.directory import LocalDirectory
from services.core.domain.errors import SpecError
from services.core.llm.policies import WirePolicies
from services.core.settings import Settings
from services.pocket.policy.server import PocketServer

WITHOUT_TORCH = """
import sys
for name in ("torch", "transformers", "trl", "peft", "tokenizers", "safetensors", "datasets", "accelerate"):
    sys.modules[name] = None  # importing it raises
"""
ON_THE_WIRE = """
import services.app.cli.main
from services.app.catalogue import Catalogue
from services.app.directory import LocalDirectory
from services.core.settings import Settings
Catalogue(Settings())
LocalDirectory(Settings(policy_urls={"pocket": "http://policy:8001"})).policies("pocket")
"""
BASE_ONLY = """
for name in ("fastapi", "starlette", "uvicorn", "altair", "vl_convert", "jinja2", "pyarrow", "prometheus_client", "multipart"):
    sys.modules[name] = None
"""


def directory(**policy_urls: str | list[str]) -> LocalDirectory:
    return LocalDirectory(Settings.model_validate({"policy_urls": policy_urls}))


def test_a_base_with_a_url_is_spoken_to_over_the_wire():
    (server,) = directory(pocket="http://policy:8001").servers("pocket")
    assert isinstance(server, WirePolicies)


def test_a_base_with_several_urls_is_a_fleet():
    found = directory(pocket=["http://one:8001", "http://two:8001"])
    assert found.policies("pocket") is found.policies("pocket")
    assert len(found.servers("pocket")) == 2


def test_a_base_of_the_settings_needs_a_server(tmp_path: Path):
    found = LocalDirectory(Settings(bases={"llama": tmp_path}))
    assert found.base_folder("llama") == tmp_path
    with pytest.raises(SpecError, match="DRIFTLOOP_POLICY_URLS"):
        found.policies("llama")


def test_a_base_without_one_is_served_here_once():
    found = directory()
    (server,) = found.servers("pocket")
    assert isinstance(server, PocketServer)
    assert found.policies("pocket") is found.policies("pocket")


def test_a_url_for_an_unknown_base_is_refused():
    with pytest.raises(SpecError, match=r"^DRIFTLOOP_POLICY_URLS: 'poket' is not registered here"):
        directory(poket="http://policy:8001")


@pytest.mark.parametrize(
    "missing", [WITHOUT_TORCH, WITHOUT_TORCH + BASE_ONLY], ids=["simulator", "evaluator"]
)
def test_images_without_torch_have_all_they_need(missing: str):
    done = subprocess.run(
        [sys.executable, "-c", missing + ON_THE_WIRE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
