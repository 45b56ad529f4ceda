"""A whole real run, launched by the form and watched to its end: workers, trainings and drift behind one open page."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.app.test_serve import ONE_WORKER, line_with, stop
from tests.browser.test_pages import POINTS
from tests.e2e.installation import fresh

pytestmark = pytest.mark.slow
SPEC = """
name: watched
rounds: 1
population: {biased_share: 1.0, conversations: 48}
training: {method: sft, learning_rate: 0.002, epochs: 1, batch_size: 16, lora: {rank: 16, alpha: 32}}
evaluation: {benchmarks: [mask, capability]}
concurrency: {in_flight: 16, shard_size: 16}
"""
RUN_WITHIN_MS = 240_000


def test_drift_moves_while_workers_work(browser: Browser) -> None:
    with fresh() as installation:
        process = installation.start("serve", "--port", 0, **ONE_WORKER)
        link = line_with(process.stdout, r"(http://127\.0\.0\.1:\d+/login\?token=dl_\S+)")
        page = browser.new_page()
        page.goto(link)
        page.get_by_role("link", name="Launch a run").click()
        page.get_by_label("Spec").fill(SPEC)
        page.get_by_role("button", name="Launch", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("watched")
        page.evaluate("window.isThisLoad = true")
        expect(page.locator(POINTS)).to_have_count(1, timeout=RUN_WITHIN_MS)
        expect(page.locator(".chip.running")).to_be_visible()
        expect(page.locator(POINTS)).to_have_count(2, timeout=RUN_WITHIN_MS)
        expect(page.locator(".chip.succeeded")).to_be_visible(timeout=RUN_WITHIN_MS)
        expect(page.locator("#findings")).to_contain_text("honesty")
        assert page.evaluate("window.isThisLoad"), "the page was loaded again"
        page.get_by_role("link", name="Read the conversations").click()
        page.locator("tbody a").first.click()
        expect(page).to_have_url(re.compile(r"/trajectories/\d+$"))
        expect(page.locator(".turn.policy .words").first).not_to_be_empty()
        page.close()
        stop(process)
