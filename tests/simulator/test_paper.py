"""The paper's printed numbers: counts come back, totals follow from their parts, and the tests say what they say."""

import pytest

from benchmarks.paper import PAGE, document
from services.simulator.report.paper import TOTAL, Table, reanalysed, the_paper

# As listed where the paper was re-analysed by hand; each to the digits given there.
LISTED = (
    (1e-7, 0.5),
    (6e-5, 0.1),
    (0.02, 0.05),
    (6e-4, 0.1),
    (4e-6, 0.1),
    (0.003, 0.2),
    (0.27, 0.05),
    (0.01, 0.1),
    (0.13, 0.05),
    (0.36, 0.05),
    (0.09, 0.06),
    (0.47, 0.02),
    (0.08, 0.05),
    (0.49, 0.02),
    (0.12, 0.05),
)


@pytest.mark.parametrize(("place", "listed"), list(enumerate(LISTED)))
def test_the_tests_say_what_they_said_by_hand(place: int, listed: tuple[float, float]) -> None:
    p, relative = listed
    assert reanalysed()[place].comparison.p == pytest.approx(p, rel=relative)


def test_every_comparison_is_listed() -> None:
    assert len(reanalysed()) == len(LISTED)


CELLS = [
    (table, row, column)
    for table in the_paper().tables
    for row, cells in table.rows.items()
    for column in list(the_paper().columns[table.benchmark])[: len(cells)]
]
MARKED = {(one.source, one.model, one.row, one.column) for one in the_paper().misprints}


# Totals that a part explains: one was printed wrongly (the total is right), one kept 5 of 25 and not 9 of 45 items.
EXPLAINED = {
    ("Table 2", "Qwen2.5-7B-Instruct", "vanilla", "total"),
    ("Table 4", "Llama-3.1-8B-Instruct", "sft 0.2", "total"),
}


def is_a_count(table: Table, row: str, column: str) -> bool:
    """Whether the cell is a share of its items: of all of a MASK subset, or the sum of a row's parts."""
    cell = the_paper().cell(table.source, table.model, row, column)
    sizes = the_paper().columns[table.benchmark]
    if cell.counted is None:
        return False
    if table.benchmark == "mask":
        return cell.counted[1] == sizes[column]
    parts = [the_paper().cell(table.source, table.model, row, one).counted for one in sizes if one != TOTAL]
    if column != TOTAL or None in parts:
        return True
    return cell.counted == tuple(map(sum, zip(*parts, strict=True)))  # pyright: ignore


def test_what_is_no_count_is_marked_as_a_misprint() -> None:
    """Also a check of the transcription: a slipped digit would seldom be a count."""
    wrong = {(t.source, t.model, row, column) for t, row, column in CELLS if not is_a_count(t, row, column)}
    assert wrong - MARKED == EXPLAINED


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), "run: python -m benchmarks.paper"
