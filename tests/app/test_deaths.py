"""Which deaths are too many: those in a row, not those of a long life."""

import pytest

from services.app.deaths import MAX_IN_A_ROW, SETTLED_S, Deaths


@pytest.mark.parametrize(
    ("gap_s", "deaths", "are_too_many"),
    [
        (SETTLED_S, MAX_IN_A_ROW, False),
        (SETTLED_S, MAX_IN_A_ROW + 1, True),
        (0.0, MAX_IN_A_ROW + 1, True),
        (SETTLED_S + 1, 100 * MAX_IN_A_ROW, False),
    ],
)
def test_only_deaths_soon_after_each_other_add_up(gap_s: float, deaths: int, are_too_many: bool) -> None:
    counted = Deaths()
    for death in range(deaths):
        counted.count(1000.0 + death * gap_s)
    assert counted.are_too_many is are_too_many


def test_a_quiet_time_begins_a_new_row() -> None:
    counted = Deaths()
    for now_s in (*range(MAX_IN_A_ROW), MAX_IN_A_ROW + SETTLED_S + 1):
        counted.count(now_s)
    assert (counted.in_a_row, counted.are_too_many) == (1, False)
