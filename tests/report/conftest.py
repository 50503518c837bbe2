"""Fixtures of the tests of reports: a headless browser, and a page in the browser."""

import shutil

import pytest

from skaudio_ad.report._write_page import write_page

from .pages import clip_entry, report_assets, report_data

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture(scope="module")
def browser():
    """Chromium of the system. Tests are skipped where Playwright or Chromium is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next((path for path in map(shutil.which, names) if path), None)
    if executable is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(headless=True, executable_path=executable, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The file of a report of ten scored recordings and one that could not be read."""
    entries = [clip_entry(i) for i in range(10)] + [clip_entry(10, decision="error")]
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_page(path, report_data(entries), report_assets(entries), folder=None)


@pytest.fixture
def open_page(browser):
    """Function that opens a file. At the end of the test no page may have reported an error or used the network."""
    contexts, problems = [], []

    def open_page(path, *, context=None, width=1280, height=800, fragment="", **settings):
        if context is None:
            context = browser.new_context(viewport={"width": width, "height": height}, **settings)
            contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file:", "blob:", "data:")) else problems.append(request.url)
            ),
        )
        page.goto(path.as_uri() + fragment)
        return page

    open_page.problems = problems
    yield open_page
    for context in contexts:
        context.close()
    assert not problems
