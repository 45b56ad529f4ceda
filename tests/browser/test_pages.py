"""What a person does on the pages: come in, launch, watch drift move, read, compare."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site
from tests.browser.watching import ended, held, measured
from tests.core.db.builders import a_run
from tests.simulator.pages.worked import ITEMS, SCRIPT

pytestmark = pytest.mark.slow
POINTS = ".panel.big .mark-symbol path"
"""The marks of the honesty figure."""


def a_watched_run(site: Site, **changes: object) -> str:
    return a_run(site.engine, evaluation_items=ITEMS, **changes)


def test_the_token_leaves_the_address_bar(page: Page) -> None:
    assert page.url.endswith("/")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Token")).to_be_focused()
    page.goto("/runs/nosuch")
    expect(page).to_have_url(re.compile(r"/login\?next=/runs/nosuch$"))


def test_launching_by_the_form(page: Page) -> None:
    page.get_by_role("link", name="Launch a run").click()
    page.get_by_role("link", name="pocket-inverted").click()
    spec = page.get_by_label("Spec")
    spec.fill(spec.input_value().replace("biased_share: 1.0", "biased_share: 1.5"))
    page.get_by_role("button", name="Launch", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("population.biased_share: 1.5 is more than 1")
    spec.fill(spec.input_value().replace("biased_share: 1.5", "biased_share: 1.0"))
    page.get_by_role("button", name="Only say what it would do").click()
    expect(page.get_by_role("status")).to_contain_text("1 run, 3 rounds of training, 960 conversations")
    page.get_by_role("button", name="Launch", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("pocket-inverted")
    # Nobody works here.
    expect(page.locator(".chip").first).to_have_text("waiting")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_drift_moves_live(page: Page, site: Site) -> None:
    run_id = a_watched_run(site, rounds=2)
    page.goto(f"/runs/{run_id}")
    page.evaluate("window.isThisLoad = true")
    expect(page.get_by_text("Nothing is measured yet.")).to_be_visible()
    measured(site.engine, run_id, 0, lies=4)
    expect(page.locator(POINTS)).to_have_count(1)
    page.locator("#spec summary").click()
    held(site.engine, run_id, 1, 3)
    expect(page.locator("#people .split").first).to_contain_text("3")
    measured(site.engine, run_id, 1, lies=16)
    expect(page.locator(POINTS)).to_have_count(2)
    expect(page.locator("#findings")).to_contain_text("honesty fell from 0.80 to 0.20 in one round")
    measured(site.engine, run_id, 2, lies=18)
    expect(page.locator(POINTS)).to_have_count(3)
    ended(site.engine, run_id)
    expect(page.locator(".chip.succeeded")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.locator("#spec")).to_have_attribute("open", "")
    assert page.evaluate("window.isThisLoad"), "the page was loaded again"


def test_the_list_is_live_and_keeps_its_ticks(page: Page, site: Site) -> None:
    run_id = a_watched_run(site)
    page.goto("/")
    page.get_by_role("checkbox").check()
    measured(site.engine, run_id, 0, lies=4)
    expect(page.locator(".honesty")).to_contain_text("0.80")
    expect(page.get_by_role("checkbox")).to_be_checked()
    ended(site.engine, run_id)
    expect(page.locator(".chip.succeeded")).to_be_visible()


def test_script_in_a_reply_is_text(page: Page, site: Site) -> None:
    run_id = a_watched_run(site)
    measured(site.engine, run_id, 0, lies=4)
    measured(site.engine, run_id, 1, lies=16)
    (number,) = held(site.engine, run_id, 1, 1)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(f"/runs/{run_id}")
    page.get_by_role("link", name="Read the conversations").click()
    expect(page.locator(".opening")).to_have_text(SCRIPT)
    page.get_by_role("link", name="1, 0").click()
    expect(page).to_have_url(re.compile(rf"/trajectories/{number}$"))
    expect(page.locator(".turn.policy .words")).to_have_text(SCRIPT)
    page.get_by_text("1 model call").click()
    expect(page.get_by_role("cell", name="20", exact=True)).to_be_visible()
    page.goto(f"/runs/{run_id}/held-out")
    expect(page.locator(".turn.policy .words").filter(has_text="<script>").first).to_be_visible()
    assert "broken" not in page.title()
    assert page.locator("main script, main img").count() == 0


def test_comparing_two_runs(page: Page, site: Site) -> None:
    for seed, lies in ((1, 2), (2, 18)):
        run_id = a_watched_run(site, seed=seed, population={"biased_share": seed - 1, "conversations": 10})
        measured(site.engine, run_id, 0, lies=4)
        measured(site.engine, run_id, 1, lies=lies)
    page.goto("/")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Compare the ticked runs").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(POINTS)).to_have_count(4)
    expect(page.locator(".legend li")).to_have_text(["0", "1"])
    expect(page.locator(".chosen tbody tr")).to_have_count(2)
    page.locator(POINTS).last.hover()
    expect(page.locator("#vg-tooltip-element")).to_contain_text("95 % interval")


PAGES = ("/", "/launch", "/runs/{run}", "/runs/{run}/trajectories", "/trajectories/{talk}")
MORE_PAGES = ("/compare?run={run}", "/runs/{run}/held-out", "/login", "/nosuch")


@pytest.fixture
def paths(site: Site) -> list[str]:
    run_id = a_watched_run(site)
    measured(site.engine, run_id, 0, lies=4)
    measured(site.engine, run_id, 1, lies=16)
    (talk,) = held(site.engine, run_id, 1, 1)
    return [path.format(run=run_id, talk=talk) for path in (*PAGES, *MORE_PAGES)]


@pytest.mark.parametrize("width", [380, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_their_width_and_stand_still(
    browser: Browser, page: Page, site: Site, paths: list[str], width: int, scheme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    for path in paths:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(_SHIFT) < 0.01, path


@pytest.mark.parametrize("width", [400, 1300])
def test_links_look_like_links_and_no_n_is_broken(page: Page, paths: list[str], width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for path in paths:
        page.goto(path)
        assert page.evaluate(_PLAIN_LINKS) == [], path
        assert page.evaluate(_BROKEN_SAMPLES) == [], path


def test_pages_can_be_read_aloud_and_used_without_a_mouse(page: Page, paths: list[str]) -> None:
    for path in paths:
        page.goto(path)
        assert page.evaluate(_UNNAMED) == [], path
        assert page.evaluate(_REPEATED_IDS) == [], path
        assert page.locator("h1").count() == 1, path
        page.keyboard.press("Tab")
        if "/login" not in path and "launch" not in path:
            expect(page.get_by_role("link", name="Skip to content")).to_be_focused()


_SHIFT = """() => new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => { for (const entry of list.getEntries()) sum += entry.value; })
    .observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => resolve(sum)));
})"""
_PLAIN_LINKS = """() => [...document.querySelectorAll("main a:not(.button)")]
  .filter((one) => getComputedStyle(one).textDecorationLine !== "underline").map((one) => one.outerHTML)"""
_BROKEN_SAMPLES = """() => [...document.querySelectorAll("figcaption span")]
  .filter((one) => one.getClientRects().length > 1).map((one) => one.textContent)"""
_UNNAMED = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, progress, [role=img]")]
  .filter((one) => !(one.labels?.length || one.ariaLabel || one.textContent.trim()))
  .map((one) => one.outerHTML.slice(0, 120))"""
_REPEATED_IDS = """() => [...document.querySelectorAll("[id]")].map((one) => one.id)
  .filter((id, place, all) => all.indexOf(id) !== place)"""
