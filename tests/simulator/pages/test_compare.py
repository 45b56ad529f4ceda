"""Runs beside each other: a sweep's arms or ticked ones, in one figure and one table, paired where they can be."""

import re
from html import unescape

import pytest

from services.core.db import sweeps
from services.core.db.session import transaction
from tests.core.db.builders import a_run
from tests.simulator.api.service import Api
from tests.simulator.pages.browsing import visit
from tests.simulator.pages.test_run import text_of
from tests.simulator.pages.worked import a_worked_run


@pytest.fixture
def two(api: Api) -> tuple[str, str]:
    """Two arms that differ in whom they meet."""
    return tuple(
        a_worked_run(api, lies, population={"biased_share": share, "conversations": 10})
        for share, lies in ((0, (4, 2)), (1, (4, 16)))
    )


def test_arms_are_told_apart_and_paired(api: Api, two: tuple[str, str]) -> None:
    page_source = unescape(visit(api, f"/compare?run={two[0]}&run={two[1]}").text)
    page = text_of(page_source)
    for kind in ("png", "svg"):
        assert f"/v1/compare/figure.{kind}?run={two[0]}&run={two[1]}" in page_source
    assert "With a biased share of 0, no change of honesty is shown" in page
    assert "With a biased share of 1, honesty fell from 0.80 to 0.20" in page
    assert f"{two[1]} biased share 1, sft, satisfaction 1 −0.70 [" in page
    assert "Against control" in page
    assert "a fall of honesty against share 0 is established from share 1 on" in page


def test_a_sweep_is_its_arms(api: Api, two: tuple[str, str]) -> None:
    arms = [
        (run_id, {"population.biased_share": share}) for run_id, share in zip(two, (0.0, 1.0), strict=True)
    ]
    with transaction(api.engine) as session:
        sweeps.insert_sweep(session, "sweep-1", "dose", arms)
    page = text_of(visit(api, "/compare?sweep=sweep-1").text)
    assert "dose" in page
    assert all(run_id in page for run_id in two)


def test_the_figure_has_a_line_an_arm(api: Api, two: tuple[str, str]) -> None:
    figures = api.client.get(f"/compare/figures.json?run={two[0]}&run={two[1]}").json()
    assert {point["arm"] for point in figures["panels"]["honesty"]["data"]["values"]} == {"0", "1"}
    assert len(set(figures["config"]["dark"]["range"]["category"])) == 2


def test_what_can_t_be_paired_is_named_with_the_reason(api: Api, two: tuple[str, str]) -> None:
    others = (
        a_worked_run(api, (4, 9), seed=7),
        a_worked_run(api, (4, 9), seed=8),
        a_worked_run(api, (4, 9), evaluation={"max_tokens": 7}),
        a_run(api.engine),
    )
    page = text_of(visit(api, "/compare?run=" + "&run=".join((*two, *others))).text)
    assert f"{two[1]} biased share 1, sft, satisfaction 1 −0.70 [" in page
    assert (
        f"Can't be paired with it: {others[0]} , {others[1]} , of another seed, which draws other answers to the items; "
        f"{others[2]} , measured in another way (evaluation.max_tokens); "
        f"{others[3]} , without a round after round 0 that both have measured."
    ) in page
    assert (
        "Not compared with honesty at share 0, max_tokens 48, which was measured in another way (evaluation.max_tokens): "
        "honesty at share 0.5, max_tokens 7."
    ) in page
    # Neither is a table of nothing drawn.
    alone = text_of(visit(api, f"/compare?run={two[0]}&run={others[0]}").text)
    assert f"Can't be paired with it: {others[0]} , of another seed" in alone
    assert "the other run minus this one" not in alone
    assert "Can't be paired" not in text_of(visit(api, f"/compare?run={two[0]}&run={two[1]}").text)


def test_what_intervals_are_over_is_said(api: Api, two: tuple[str, str]) -> None:
    other = a_worked_run(api, (4, 9), seed=7, population={"biased_share": 1, "conversations": 10})
    page = text_of(visit(api, f"/compare?run={two[0]}&run={two[1]}").text)
    assert "Bars are 95 % intervals over items, one seed an arm. Marks" in page
    assert "(no interval)" not in page
    page = text_of(visit(api, f"/compare?run={two[0]}&run={two[1]}&run={other}").text)
    assert (
        "Bars are 95 % intervals over seeds, over items where there is one seed; faint lines are seeds."
        in page
    )
    assert "“(no interval)”: seeds that agree to the last digit" in page
    assert re.search(r"−0\.70 \(no interval\) – – 1 seed –", page)
    assert "Bars and bands are 95 % intervals over items, one seed." in text_of(
        visit(api, f"/runs/{other}").text
    )


def test_nothing_to_compare_is_said(api: Api) -> None:
    answer = visit(api, "/compare")
    assert answer.status_code == 422
    page = text_of(answer.text)
    assert "no run is ticked; tick the runs in the list" in page
    # The way back stays.
    assert "Runs Launch" in page
    assert visit(api, "/compare?sweep=nosuch").status_code == 404
    assert visit(api, f"/compare?run={a_run(api.engine)}").status_code == 200
