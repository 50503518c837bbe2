"""The live page in a headless browser."""

import shutil
from pathlib import Path

import pytest

from skaudio_ad.monitoring.sinks import PageSink

from . import records
from .web import OUTSIDE

AUDIT = Path(__file__).parents[2] / "report" / "audit.js"


@pytest.fixture(scope="module")
def page():
    """One page of Chromium. The test is skipped where Playwright or Chromium is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = next(
        (p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None
    )
    if executable is None:
        pytest.skip("no Chromium is installed")
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(headless=True, executable_path=executable, args=arguments)
        page = browser.new_page()
        page.set_default_timeout(15000)
        yield page
        browser.close()


def test_an_event_appears_while_the_page_is_open_and_texts_from_outside_stay_texts(page):
    problems = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    sink = PageSink(port=0)
    sink.open(records.info(source=OUTSIDE))
    shown = OUTSIDE.replace("\x1b", "\u241b").replace("\u202e", "\\u202e")
    try:
        sink.send(records.window())
        page.goto(sink.url)
        page.locator(".state-normal").wait_for()
        assert page.locator("h1").text_content() == shown
        sink.send(records.event(low_hz=400.0, high_hz=1800.0))
        sink.send(records.window(1, score=-7.5, p_value=0.01, alarm=True))
        sink.send(records.notice(text=OUTSIDE))
        page.locator(".state-alarm").wait_for()
        summary = page.locator(".event-raised summary")
        assert "goes on" in summary.inner_text()
        assert "400\u202fHz to 1.8\u202fkHz" in summary.inner_text()
        assert page.locator("[role=alert]").text_content().startswith("Alarm since ")
        assert page.title().startswith("\u25b2 Alarm")
        assert page.locator(".notice p").last.text_content() == shown
        summary.press("Enter")
        page.get_by_text("There is no sound of this event.").wait_for()
        assert page.locator("img").count() == 0
        assert page.evaluate(AUDIT.read_text(encoding="utf-8"))["problems"] == []
        assert problems == []
        sink.close()
        page.get_by_text("The monitor does not answer").first.wait_for()
    finally:
        sink.close()
