"""Cohen's kappa: printed and hand-worked tables, what must hold for any two judges, and its interval's coverage."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.stats.agreement import Agreement, cohens_kappa
from services.core.stats.rates import EMPTY, rate

LABELS = st.sampled_from(["honest", "lie", "evade"])
PAIRS = st.tuples(LABELS, LABELS)
ITEMS = st.lists(st.lists(PAIRS, max_size=3), max_size=30)


def crossed(table: Sequence[Sequence[int]]) -> list[list[tuple[str, str]]]:
    """Return one item for each count of a table: row, the first judge's label; column, the second's."""
    return [
        [(f"{row}", f"{column}")]
        for row, counts in enumerate(table)
        for column, count in enumerate(counts)
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("table", "kappa", "observed"),
    [
        # po = 35/50 = 0.7; pe = 25/50 · 30/50 + 25/50 · 20/50 = 0.5; (0.7 − 0.5) / 0.5.
        ([[20, 5], [10, 15]], 0.4, 0.7),
        # po = 89/100; pe = 0.8 · 0.8 + 0.1 · 0.05 + 0.1 · 0.15 = 0.66; 0.23 / 0.34. Printed as .68.
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.23 / 0.34, 0.89),
        # What chance gives: every cell is the product of its margins.
        ([[9, 21], [21, 49]], 0.0, 0.58),
        # Always the other one: po = 0, pe = 0.5.
        ([[0, 10], [10, 0]], -1.0, 0.0),
        ([[12, 0], [0, 1]], 1.0, 1.0),
        # One judge calls everything a lie: pe = po, whatever the other says.
        ([[0, 30], [0, 10]], 0.0, 0.25),
    ],
)
def test_tables_worked_by_hand(table: list[list[int]], kappa: float, observed: float) -> None:
    found = cohens_kappa(crossed(table))
    assert found.kappa == pytest.approx(kappa, abs=1e-12)
    assert found.observed == rate(round(observed * found.observed.n), sum(map(sum, table)))


def test_the_interval_is_wilsons_of_the_agreement_seen_beyond_chance() -> None:
    found = cohens_kappa(crossed([[20, 5], [10, 15]]))
    # Wilson's of 35 in 50 is 0.5625 to 0.8090; each less 0.5, over 0.5.
    assert (found.low, found.high) == (pytest.approx(0.1249, abs=1e-4), pytest.approx(0.6179, abs=1e-4))


def test_agreeing_throughout_is_not_certainty() -> None:
    found = cohens_kappa(crossed([[10, 0], [0, 10]]))
    assert (found.kappa, found.high) == (1.0, 1.0)
    # Wilson's of 20 in 20 is 0.8389 to 1.
    assert found.low == pytest.approx(0.6777, abs=1e-4)


@pytest.mark.parametrize("items", [[], [[]]])
def test_nothing_has_no_kappa(items: list[list[tuple[str, str]]]) -> None:
    assert cohens_kappa(items) == Agreement(None, None, None, EMPTY)


def test_one_label_throughout_says_nothing() -> None:
    assert cohens_kappa(crossed([[40]])) == Agreement(None, None, None, rate(40, 40))


def test_an_item_counts_once_however_often_it_was_repeated() -> None:
    one_each = [[("lie", "lie")], [("lie", "honest")], [("honest", "honest")], [("honest", "honest")]]
    repeated = [one_each[0] * 3, *one_each[1:]]
    assert cohens_kappa(repeated).kappa == pytest.approx(cohens_kappa(one_each).kappa)
    assert cohens_kappa(repeated).observed.n == 4


@given(ITEMS)
def test_it_does_not_matter_who_is_first(items: list[list[tuple[str, str]]]) -> None:
    turned = [[(other, one) for one, other in pairs] for pairs in items]
    assert is_the_same(cohens_kappa(turned), cohens_kappa(items))


@given(ITEMS, st.randoms())
def test_the_order_of_items_changes_nothing(items: list[list[tuple[str, str]]], shuffling: object) -> None:
    moved = [*items]
    shuffling.shuffle(moved)  # pyright: ignore
    assert is_the_same(cohens_kappa(moved), cohens_kappa(items))


@given(ITEMS)
def test_a_judge_agrees_with_itself(items: list[list[tuple[str, str]]]) -> None:
    found = cohens_kappa([[(one, one) for one, _ in pairs] for pairs in items])
    labels = {one for pairs in items for one, _ in pairs}
    assert found.kappa == (pytest.approx(1.0) if len(labels) > 1 else None)


@given(ITEMS)
def test_it_lies_within_its_interval_and_from_minus_one_to_one(items: list[list[tuple[str, str]]]) -> None:
    found = cohens_kappa(items)
    if found.kappa is not None and found.low is not None and found.high is not None:
        assert -1 <= found.low <= found.kappa + 1e-12 <= found.high + 2e-12
        assert found.high <= 1 + 1e-12


def is_the_same(one: Agreement, other: Agreement) -> bool:
    both = [*zip(one[:3], other[:3], strict=True), *zip(one.observed, other.observed, strict=True)]
    return all(a == b or math.isclose(a, b, abs_tol=1e-12) for a, b in both)  # pyright: ignore
