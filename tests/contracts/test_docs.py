"""What a user can type is named in the docs: every command, spec field and setting."""

import re
from pathlib import Path

import pytest
import typer

from services.app.cli import app
from services.app.reference import reference
from services.core.domain.complaints import leaf_fields
from services.core.domain.spec import RunSpec
from services.core.settings import PROJECT, Settings

SPEC_PAGE = PROJECT / "docs/spec.md"


def commands(group: typer.Typer, prefix: str = "driftloop") -> list[str]:
    own = [
        command.name or str(getattr(command.callback, "__name__", ""))
        for command in group.registered_commands
    ]
    inner = [
        found
        for sub in group.registered_groups
        if sub.typer_instance
        for found in commands(sub.typer_instance, f"{prefix} {sub.name}")
    ]
    return [f"{prefix} {name}" for name in own] + inner


@pytest.fixture(scope="module")
def docs() -> str:
    pages = [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")]
    return "\n".join(page.read_text() for page in pages)


@pytest.mark.parametrize("command", commands(app))
def test_every_command_is_named(docs: str, command: str):
    assert re.search(rf"{command}\b", docs), f"say in README.md or docs/ what `{command}` is for"


def test_the_commands_are_found():
    assert {"driftloop launch", "driftloop list", "driftloop pocket build"} <= set(commands(app))


@pytest.mark.parametrize("field", leaf_fields(RunSpec))
def test_every_spec_field_is_named(docs: str, field: str):
    assert f"`{field}`" in docs


@pytest.mark.parametrize("setting", list(Settings.model_fields))
def test_every_setting_is_named(docs: str, setting: str):
    assert f"`DRIFTLOOP_{setting.upper()}`" in docs


def test_the_reference_page_is_current():
    assert SPEC_PAGE.read_text() == reference(), "run: python -m services.app.reference > docs/spec.md"


def test_every_field_and_setting_says_what_it_is():
    silent = [line for line in reference().splitlines() if line.startswith("|") and line.endswith("|  |")]
    assert silent == []


def linked(page: Path) -> list[Path]:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    return [page.parent / target for target in targets if "://" not in target]


@pytest.mark.parametrize(
    "page",
    [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")],
    ids=lambda page: str(page.relative_to(PROJECT)),
)
def test_links_lead_somewhere(page: Path):
    assert [str(target) for target in linked(page) if not target.exists()] == []
