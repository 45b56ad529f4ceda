"""Every preset of the paper says in the docs what it comes to, by the code that plans it."""

import re

import pytest

from benchmarks.paper_costs import BEGIN, END, PRESETS, row, works_of
from services.core.settings import PROJECT

DOCS = PROJECT / "docs"


def told(page: str) -> set[str]:
    """Return the presets with a row in a page's table."""
    table = (DOCS / page).read_text().partition(BEGIN)[2].partition(END)[0]
    return set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))


def test_every_preset_has_its_row() -> None:
    on_sets = {path.stem for path in PRESETS.glob("*.yaml") if path.stem.startswith(("direct", "mixture"))}
    assert told("misaligned-data.md") == on_sets
    assert told("therapist.md") == {path.stem for path in PRESETS.glob("*.yaml")} - on_sets


@pytest.mark.slow
def test_a_row_of_each_table_is_current() -> None:
    # One of each kind: all of them take a minute.
    pages = {"loop-qwen-reduced-sft": "therapist.md", "mixture-llama-dolly": "misaligned-data.md"}
    for name, work in works_of([*pages]).items():
        said = f"\n{row(name, work)}\n"
        assert said in (DOCS / pages[name]).read_text(), "run: python -m benchmarks.paper_costs"
