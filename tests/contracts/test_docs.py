"""What a user can type or read is named in the docs: every command, spec field and setting, every route, measure, status and event."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from services.app.cli.main import app
from services.app.reference import reference
from services.core.domain.complaints import leaf_fields
from services.core.domain.events import EventKind
from services.core.domain.measures import MEASURES, TARGETING_GAP
from services.core.domain.phases import RunStatus
from services.core.domain.spec import RunSpec
from services.core.settings import PROJECT, Settings
from tests.simulator.api.test_description import DESCRIBED

SPEC_PAGE = PROJECT / "docs/spec.md"
REST_PAGE = (PROJECT / "docs/rest.md").read_text()
ROUTES = {
    f"{method.upper()} {path}" for path, operations in DESCRIBED["paths"].items() for method in operations
}
DESCRIPTION = "GET /v1/openapi.json"
"""The one route that does not describe itself."""


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


def test_every_route_is_on_the_page_of_the_rest_api_and_no_other():
    told = re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^?`]*)", REST_PAGE)
    assert set(told) == ROUTES | {DESCRIPTION}


@pytest.mark.parametrize("word", [*RunStatus, *EventKind])
def test_every_status_and_event_of_a_run_is_on_the_page_of_the_rest_api(word: str):
    assert f"`{word}`" in REST_PAGE


@pytest.mark.parametrize("measure", [*(measure.name for measure in MEASURES), TARGETING_GAP])
def test_every_measure_is_on_the_page_of_honesty(measure: str):
    assert f"`{measure}`" in (PROJECT / "docs/honesty.md").read_text()


def test_the_reference_page_is_current():
    assert SPEC_PAGE.read_text() == reference(), "run: python -m services.app.reference > docs/spec.md"


def test_every_field_and_setting_says_what_it_is():
    silent = [line for line in reference().splitlines() if line.startswith("|") and line.endswith("|  |")]
    assert silent == []


PAGES = [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]


def quoted(page: Path) -> list[str]:
    """The command lines of `driftloop` that a page shows, in code."""
    text = page.read_text()
    blocks = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`(driftloop [^`]*)`", text)
    lines = [
        line for block in blocks for line in re.findall(r"^\W*(driftloop [^#|&>\n]*)", block, re.MULTILINE)
    ]
    return [line.strip() for line in (*spans, *lines)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_command_line_that_is_shown_exists(page: Path):
    assert [line for line in quoted(page) if unknown_in(line)] == []


def unknown_in(line: str) -> str | None:
    """Return what a command line says that the program does not know: a command or an option."""
    words = re.sub(r"[…\[\]()]", " ", line).split()[1:]
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        name = words.pop(0).split("|")[0]
        if name not in command.commands:
            return None if name.startswith("-") or name == "driftloop" else name
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    return next((word for word in words if word.startswith("--") and word.strip("`.,;") not in known), None)


def test_a_stale_command_line_is_found():
    assert unknown_in("driftloop launch my.yaml --wtach") == "--wtach"
    assert unknown_in("driftloop tokens make") == "make"
    assert unknown_in("driftloop pocket build FOLDER --seed 1") is None


def anchors(page: Path) -> set[str]:
    """The names by which a page's headings are linked to."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def linked(page: Path) -> list[Path]:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    return [page.parent / target for target in targets if "://" not in target]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path):
    assert [str(target) for target in linked(page) if not target.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_to_a_heading_find_it(page: Path):
    targets = re.findall(r"\]\(([^)\s:]*)#([^)\s]+)\)", page.read_text())
    lost = [
        f"{name}#{anchor}"
        for name, anchor in targets
        if anchor not in anchors((page.parent / name) if name else page)
    ]
    assert lost == []
