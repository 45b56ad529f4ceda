"""The Compose files fit each other and the code: settings that exist, targets that exist, variables that the header names."""

import re
from typing import Any

import pytest
import yaml

from services.core.settings import PROJECT, Settings

MAIN = PROJECT / "docker-compose.yml"
OF_THIS_MACHINE = PROJECT / "docker-compose.override.yml"
FILES = [MAIN, *sorted(set(PROJECT.glob("docker-compose.*.yml")) - {OF_THIS_MACHINE})]
OURS = "driftloop-"
DEPLOYMENT = PROJECT / "docs/deployment.md"


class _Loader(yaml.SafeLoader):
    """Reads Compose's `!reset` (2.24) as nothing, which is what it means."""


_Loader.add_constructor("!reset", lambda _loader, _node: None)


def services(path: Any) -> dict[str, dict[str, Any]]:
    return services_in(path.read_text())


def services_in(text: str) -> dict[str, dict[str, Any]]:
    return yaml.load(text, _Loader)["services"]  # a safe loader


def environments(path: Any) -> dict[str, str]:
    return {
        name: value for one in services(path).values() for name, value in one.get("environment", {}).items()
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_settings_that_exist_are_set(path: Any) -> None:
    named = {name.removeprefix("DRIFTLOOP_").lower() for name in environments(path) if "DRIFTLOOP_" in name}
    assert named <= set(Settings.model_fields)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_header_names_every_variable(path: Any) -> None:
    text = path.read_text()
    used = set(re.findall(r"\$\{(\w+)", text))
    header = text[: text.index("\n\n", text.index("#"))]
    assert used <= set(re.findall(r"\b[A-Z_]{3,}\b", header))


@pytest.mark.parametrize("path", FILES[1:], ids=lambda path: path.name)
def test_what_is_put_on_top_changes_services_that_are_there(path: Any) -> None:
    assert set(services(path)) <= set(services(MAIN))


def test_images_of_ours_have_a_target_and_whatever_stays_up_has_a_health_check() -> None:
    targets = set(
        re.findall(r"^FROM \S+ AS (\w+)$", (PROJECT / "docker/Dockerfile").read_text(), re.MULTILINE)
    )
    for name, service in services(MAIN).items():
        if service["image"].startswith(OURS):
            assert service["build"]["target"] in targets, name
        if service.get("restart") != "no":
            assert "healthcheck" in service, name


def test_the_file_for_data_of_ones_own_reaches_every_process_that_reads_them() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", DEPLOYMENT.read_text(), re.MULTILINE | re.DOTALL)
    shown = services_in(block)
    assert set(shown) == {name for name in services(MAIN) if name == "api" or name.startswith("worker-")}
    for name, service in shown.items():
        named = {
            setting.removeprefix("DRIFTLOOP_").lower()
            for setting in service["environment"]
            if "DRIFTLOOP_" in setting
        }
        assert named <= set(Settings.model_fields), name
        assert service["volumes"] == ["./mine:/mine:ro"], name
