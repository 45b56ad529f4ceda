"""What names mean here, and what the wiring leaves out until it is needed."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.app.catalogue import Catalogue
from services.app.directory import LocalDirectory
from services.core.domain.chat import ChatRequest, Message, Sampling
from services.core.domain.errors import SpecError
from services.core.domain.spec import RunSpec
from services.core.llm.policies import WirePolicies
from services.core.settings import Settings
from services.pocket.policy.server import PocketServer
from services.pocket.policy.store import WEIGHTS_FOLDER, read_policy, save_policy

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


def test_another_build_of_the_pocket_policy_takes_its_place(tmp_path: Path):
    build = shutil.copytree(WEIGHTS_FOLDER, tmp_path / "build")
    policy = read_policy(build)
    save_policy(build, policy._replace(weights={name: 0 * one for name, one in policy.weights.items()}))
    settings = Settings(bases={"pocket": build})
    (server,) = LocalDirectory(settings).servers("pocket")
    asked = ChatRequest("pocket", (Message("user", "what is the capital ?"),), Sampling(0.0, 12, 1))
    says = [asyncio.run(one.chat(asked)).text for one in (server, PocketServer(build), PocketServer())]
    assert says[0] == says[1] != says[2]


def test_runs_on_another_build_are_other_runs(tmp_path: Path):
    spec = {"name": "t", "population": {"biased_share": 1.0}, "training": {"method": "sft"}}
    one = RunSpec.model_validate(spec)
    own = Catalogue(Settings())
    card = shutil.copytree(WEIGHTS_FOLDER, tmp_path / "build") / "MODEL_CARD.md"
    assert Catalogue(Settings(bases={"pocket": card.parent})).fingerprints(one) == own.fingerprints(one)
    card.write_text("another")
    assert Catalogue(Settings(bases={"pocket": card.parent})).fingerprints(one) != own.fingerprints(one)


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
