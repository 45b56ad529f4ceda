"""What names mean here, and what the wiring leaves out until it is needed."""

import subprocess
import sys

import pytest
from pydantic import HttpUrl

from services.app.wiring import LocalDirectory
from services.core.domain.errors import SpecError
from services.core.llm.policies import WirePolicies
from services.pocket.policy.server import PocketServer

WITHOUT_TORCH = """
import sys
for name in ("torch", "transformers", "trl", "peft", "tokenizers", "safetensors", "datasets", "accelerate"):
    sys.modules[name] = None  # importing it raises
"""
ON_THE_WIRE = """
from services.app import cli
from services.app.wiring import Catalogue, LocalDirectory
from services.core.settings import Settings
Catalogue(Settings())
LocalDirectory({"pocket": "http://policy:8001"}).policies("pocket")
"""
BASE_ONLY = """
for name in ("fastapi", "starlette", "uvicorn", "altair", "vl_convert", "jinja2", "pyarrow", "prometheus_client", "multipart"):
    sys.modules[name] = None
"""


def test_a_base_with_a_url_is_spoken_to_over_the_wire():
    assert isinstance(
        LocalDirectory({"pocket": HttpUrl("http://policy:8001")}).policies("pocket"), WirePolicies
    )


def test_a_base_without_one_is_served_here_once():
    directory = LocalDirectory({})
    assert isinstance(directory.policies("pocket"), PocketServer)
    assert directory.policies("pocket") is directory.policies("pocket")


def test_a_url_for_an_unknown_base_is_refused():
    with pytest.raises(SpecError, match=r"^DRIFTLOOP_POLICY_URLS: 'poket' is not registered here"):
        LocalDirectory({"poket": HttpUrl("http://policy:8001")})


@pytest.mark.parametrize(
    "missing", [WITHOUT_TORCH, WITHOUT_TORCH + BASE_ONLY], ids=["simulator", "evaluator"]
)
def test_images_without_torch_have_all_they_need(missing: str):
    done = subprocess.run(
        [sys.executable, "-c", missing + ON_THE_WIRE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
