"""Tests of the page of a report in a headless browser."""

import csv
import io
import re
import shutil
from pathlib import Path

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


class Window:
    """One page of the browser for all tests, because a new page takes longer than most tests."""

    def __init__(self, browser):
        self.page = browser.new_page()
        self.page.set_default_timeout(15000)
        self.problems = []
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self._note_request)

    def _note_message(self, message):
        if message.type == "error":
            self.problems.append(message.text)

    def _note_request(self, request):
        if not request.url.startswith(("file:", "blob:", "data:")):
            self.problems.append(request.url)

    def open(self, path, *, width=1280, height=800, scheme="light", fragment=""):
        """Open a file that the browser has not seen before."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme=scheme)
        self.page.goto(path.as_uri() + fragment)
        return self.page

    def close(self):
        """Forget what the page has kept."""
        if self.page.url.startswith("file:"):
            self.page.evaluate("localStorage.clear()")
        self.page.goto("about:blank")


@pytest.fixture(scope="module")
def window(browser):
    return Window(browser)


@pytest.fixture
def open_page(window):
    """Function that opens a file. At the end of the test the page may have reported no error and used no network."""
    window.problems.clear()
    yield window.open
    window.close()
    assert not window.problems


# The sound of the selected recording.
SOUND = "document.querySelector('audio')"
_TILES = ["recordings", "11", "▲anomalous", "5", "●normal", "5", "✕not", "read", "1", "✓marked", "0"]


def names(page):
    """Names of the rows in the list."""
    return page.locator(".open").evaluate_all("buttons => buttons.map((each) => each.textContent)")


def selected(page):
    return page.locator("#clip-name").text_content()


def until(page, condition):
    """Wait for a condition. Playwright's own function needs eval, which the security policy of the page forbids."""
    assert page.evaluate(
        "() => new Promise((resolve) => { const end = Date.now() + 15000;"
        f" const poll = () => {{ if ({condition}) resolve(true); else if (Date.now() > end) resolve(false);"
        " else setTimeout(poll, 20); }; poll(); })"
    ), condition


def saved(page, action):
    """Name and text of the file that an action saves."""
    with page.expect_download() as download:
        action()
    with open(download.value.path(), encoding="utf-8", newline="") as file:
        return download.value.suggested_filename, file.read()


def save_marks(page):
    def act():
        page.get_by_text("Save", exact=True).click()
        page.get_by_role("button", name="Save the marks").click()

    return saved(page, act)[1]


def name_of(index):
    return f"fan_id_00_{index:08d}.wav"


def test_the_page_begins_with_the_summary_and_the_least_normal_recording(open_page, report):
    page = open_page(report)
    assert page.title() == "Fan 0"
    assert page.locator(".tiles").inner_text().split() == _TILES
    summary = page.locator(".summary").inner_text()
    assert "\N{MINUS SIGN}2.00. A recording with a lower score is anomalous." in summary
    assert "5 % false alarms, guaranteed on average." in summary.replace("\u202f", " ")
    assert "The scores agree with those of the calibration" in summary
    assert selected(page) == name_of(0)
    assert page.locator(".summary .chart").count() == 2
    assert "The threshold is \N{MINUS SIGN}2.00." in page.locator(".summary .chart").first.get_attribute(
        "aria-label"
    )


def test_pictures_of_a_recording_and_of_its_nearest_normal_are_shown_side_by_side(open_page, report):
    page = open_page(report, width=1440)
    until(page, "document.querySelectorAll('.picture img').length === 3")
    images = page.locator(".picture img")
    until(page, "[...document.querySelectorAll('.picture img')].every((each) => each.naturalWidth)")
    assert (
        images.evaluate_all("all => all.map((each) => [each.naturalWidth, each.naturalHeight])")
        == [[100, 64]] * 3
    )
    own, other = (page.locator(".picture").nth(i).bounding_box() for i in range(2))
    assert (own["y"], own["height"]) == (other["y"], other["height"])
    assert own["x"] + own["width"] < other["x"]


def test_a_click_on_the_spectrogram_plays_from_there_and_moves_the_cursor(open_page, report):
    page = open_page(report)
    picture = page.locator(".picture").first
    picture.locator(".spectrogram").wait_for()
    box = picture.bounding_box()
    picture.click(position={"x": box["width"] / 2, "y": 50})
    # The sound is paused before it ends, also where the machine is slow.
    until(page, f"({SOUND}.currentTime > 1.02 && ({SOUND}.pause(), true))")
    assert page.evaluate(f"{SOUND}.played.start({SOUND}.played.length - 1)") == pytest.approx(1, abs=0.05)
    left = float(re.sub("%", "", picture.locator(".cursor").evaluate("cursor => cursor.style.left")))
    assert 50 < left <= 100
    assert float(picture.get_attribute("aria-valuenow")) > 1
    page.keyboard.press("Space")
    until(page, f"!{SOUND}.paused")
    page.keyboard.press("Space")
    assert page.evaluate(f"{SOUND}.paused")


def test_only_one_sound_plays_at_a_time(open_page, report):
    page = open_page(report)
    page.locator(".play").nth(1).wait_for()
    page.keyboard.press("Space")
    until(page, "document.querySelectorAll('audio')[0].currentTime > 0")
    page.keyboard.press("b")
    other = "document.querySelectorAll('audio')[1]"
    until(page, f"{other}.currentTime > 0 && !{other}.paused && {SOUND}.paused")


def test_a_moment_is_listed_and_played_from_its_start(open_page, report):
    page = open_page(report)
    button = page.get_by_role("button", name="Play from 1.10 s to 1.40 s".replace(" s", "\u202fs"))
    button.click()
    until(page, "document.querySelector('audio').currentTime > 1.1")
    assert page.locator(".moment").evaluate("each => [each.style.left, each.style.width]")[0] == "55%"


def test_the_arrow_keys_move_the_position_on_a_spectrogram(open_page, report):
    page = open_page(report)
    picture = page.locator(".picture").first
    picture.locator(".spectrogram").wait_for()
    picture.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert float(picture.get_attribute("aria-valuenow")) == pytest.approx(0.2)
    page.keyboard.press("Home")
    assert float(picture.get_attribute("aria-valuenow")) == 0
    assert selected(page) == name_of(0)


def test_original_levels_set_the_volume_relative_to_the_louder_sound(open_page, report):
    page = open_page(report)
    page.locator(".play").nth(1).wait_for()
    page.get_by_label("Original levels").check()
    # The peaks are -20 dB and -14 dB.
    volumes = page.locator("audio").evaluate_all("sounds => sounds.map((each) => each.volume)")
    assert volumes == pytest.approx([10 ** (-6 / 20), 1.0])
    page.get_by_label("Original levels").uncheck()
    assert page.locator("audio").first.evaluate("sound => sound.volume") == 1


def test_every_column_sorts_the_rows_in_both_directions(open_page, report):
    page = open_page(report, width=2200)
    assert names(page) == [name_of(i) for i in range(11)]
    page.get_by_role("button", name="Score", exact=True).click()
    assert names(page) == [*(name_of(i) for i in range(9, -1, -1)), name_of(10)]  # no score is last
    assert page.locator("th.col-score").get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="Label", exact=True).click()
    labels = page.locator("td.col-label").all_inner_texts()
    assert labels[:8] == ["anomalous"] * 4 + ["normal"] * 4
    for column, first in (("Name", 0), ("Decision", 0), ("p-value", 0), ("Worst at", 0), ("Mark", 0)):
        page.get_by_role("button", name=column, exact=True).click()
        assert names(page)[0] == name_of(first)
    assert page.locator("th[aria-sort=ascending]").count() == 1


def test_filters_and_the_search_choose_rows(open_page, report):
    page = open_page(report)
    for title, wanted in (
        ("Anomalous 5", range(5)),
        ("Normal 5", range(5, 10)),
        ("Not read 1", [10]),
        ("Marked 0", []),
        ("Unmarked 11", range(11)),
    ):
        page.get_by_role("button", name=title, exact=True).click()
        assert names(page) == [name_of(i) for i in wanted]
    page.keyboard.press("/")
    page.keyboard.type("00003")
    assert names(page) == [name_of(3)]
    assert page.locator(".found").inner_text() == "1 of 11 recordings shown"
    page.keyboard.press("Enter")
    assert selected(page) == name_of(3)
    page.locator("#search").fill("nothing")
    assert page.locator(".none").inner_text() == "No recording fits the filter and the search."


def test_keys_choose_recordings_and_mark_them_and_a_reload_keeps_the_marks(open_page, report):
    page = open_page(report)
    page.keyboard.press("c")
    page.keyboard.press("j")
    page.keyboard.press("ArrowRight")
    assert selected(page) == name_of(2)
    assert (
        page.locator("[aria-live=polite]").inner_text()
        == f"Recording 3 of 11: {name_of(2)}, anomalous, score \N{MINUS SIGN}3.20"
    )
    page.keyboard.press("f")
    page.keyboard.press("k")
    page.keyboard.press("u")
    page.get_by_label("Note about this recording").fill('=1+1, "odd"')
    page.get_by_label("Note about this recording").press("Tab")
    page.reload()
    assert selected(page) == name_of(1)
    assert page.get_by_role("button", name="unsure").get_attribute("aria-pressed") == "true"
    assert page.locator(".tiles dd").last.inner_text() == "3"
    text = save_marks(page)
    assert text.startswith('"path","mark","score","p_value","decision","note"\r\n')
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [
        (row["path"], row["mark"], float(row["score"]), float(row["p_value"]), row["decision"], row["note"])
        for row in rows
    ] == [
        (f"machine/{name_of(0)}", "confirmed", -4.0, 0.01, "anomalous", ""),
        (f"machine/{name_of(1)}", "unsure", -3.6, 0.02, "anomalous", '\'=1+1, "odd"'),
        (f"machine/{name_of(2)}", "false alarm", pytest.approx(-3.2), 0.03, "anomalous", ""),
    ]


def test_marks_are_read_from_a_table_and_foreign_rows_are_named(open_page, report):
    page = open_page(report)

    def read(text):
        page.locator("input[type=file]").set_input_files(
            {"name": "m.csv", "mimeType": "text/csv", "buffer": text.encode()}
        )
        until(page, "!document.querySelector('.toast').hidden")
        message = page.locator(".toast").inner_text()
        page.evaluate("document.querySelector('.toast').hidden = true")
        return message

    first, second = (f"machine/{name_of(i)}" for i in range(2))
    table = f'\ufeffnote,path,mark\r\n"a ""b"",\nc",{first},confirmed\r\n'
    table += f'\'=1,"{second}",unsure\r\n,other.wav,unsure\r\n'
    message = read(table)
    assert message.startswith(
        "Marks of 2 recordings were read. 1 row of the table is about recordings that are not in"
    )
    assert message.endswith(": other.wav")
    assert page.locator(".tiles dd").last.inner_text() == "2"
    rows = list(csv.DictReader(io.StringIO(save_marks(page), newline="")))
    assert [(row["mark"], row["note"]) for row in rows] == [("confirmed", 'a "b",\nc'), ("unsure", "'=1")]
    assert "needs the columns path and mark" in read("file,label\nx,1\n")
    assert 'Row 2 of the table has the mark "bad"' in read(f"path,mark\n{first},bad\n")
    assert "is not complete" in read(f'path,mark\n"{first},unsure\n')
    assert "The table is empty" in read("")
    assert page.locator(".tiles dd").last.inner_text() == "2"


def test_moments_are_saved_for_audacity_and_raven(open_page, report):
    page = open_page(report)
    name, text = saved(page, page.get_by_role("button", name="Save for Audacity").click)
    assert name == "fan_id_00_00000000.labels.txt"
    assert text == "1.100000\t1.400000\tanomalous, score -5\n\\\t300.000000\t1200.000000\n"
    _, text = saved(page, page.get_by_role("button", name="Save for Raven").click)
    (row,) = csv.DictReader(io.StringIO(text), delimiter="\t")
    assert row == {
        "Selection": "1",
        "View": "Spectrogram 1",
        "Channel": "1",
        "Begin Time (s)": "1.100000",
        "End Time (s)": "1.400000",
        "Low Freq (Hz)": "300.000",
        "High Freq (Hz)": "1200.000",
        "Begin Path": f"machine/{name_of(0)}",
        "File Offset (s)": "1.100000",
        "Score": "-5",
    }

    def save_all(program):
        page.get_by_text("Save", exact=True).click()
        page.get_by_role("button", name=f"Moments of all recordings for {program}").click()

    lines = saved(page, lambda: save_all("Audacity"))[1].splitlines()
    assert len(lines) == 20
    assert lines[2].endswith(f"{name_of(1)}: anomalous, score -4.6")
    rows = list(csv.DictReader(io.StringIO(saved(page, lambda: save_all("Raven"))[1]), delimiter="\t"))
    # Every recording has a duration of 2 s, and the recordings follow each other.
    assert [float(row["Begin Time (s)"]) for row in rows] == pytest.approx([1.1 + 2 * i for i in range(10)])
    assert {row["File Offset (s)"] for row in rows} == {"1.100000"}


def test_the_next_nearest_normal_replaces_the_one_beside_the_recording(open_page, report):
    page = open_page(report)
    page.get_by_text("Normal 1 of 2").wait_for()
    page.keyboard.press("n")
    page.get_by_text("Normal 2 of 2").wait_for()
    assert page.locator(".other-box .about-clip").inner_text() == "normal_1.wav"
    page.keyboard.press("n")
    page.get_by_text("Normal 1 of 2").wait_for()


def test_a_recording_that_was_not_read_shows_why(open_page, report):
    page = open_page(report, fragment="#clip-10")
    assert selected(page) == name_of(10)
    assert (
        page.locator(".clip > .warning")
        .inner_text()
        .startswith("This recording could not be scored: machine/")
    )
    assert not page.locator(".play").first.is_visible()


def test_names_with_markup_and_control_characters_stay_text(open_page, tmp_path):
    hostile = "<img src=x onerror=alert(1)>\"'&</script><script>alert(2)</script>\u2028\n\x1b[31m\u202egnp\udcff.wav"
    entries = [
        clip_entry(0, path="a/b.wav", name=hostile, csv_path="'=x"),
        clip_entry(1, decision="error", error=hostile),
    ]
    data = report_data(entries, notes=[hostile], detector=hostile) | {"title": hostile}
    page = open_page(write_page(tmp_path / "page.html", data, report_assets(entries), folder=None))
    shown = (
        "<img src=x onerror=alert(1)>\"'&</script><script>alert(2)</script>\\u2028␊␛[31m\\u202egnp\\xff.wav"
    )
    assert names(page)[0] == selected(page) == shown
    assert page.locator("h1").text_content() == shown
    assert page.locator(".notes li").text_content() == shown
    assert page.locator("img[src=x]").count() == 0
    page.keyboard.press("u")
    assert save_marks(page).splitlines()[1].startswith('"\'=x","unsure",')


def test_no_layout_is_wider_than_the_screen_and_the_theme_is_kept(open_page, report):
    page = open_page(report, width=375)
    page.locator(".spectrogram").first.wait_for()

    def background():
        return page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")

    for width in (375, 800, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert background() == "rgb(244, 245, 247)"
    page.emulate_media(color_scheme="dark")
    assert background() == "rgb(19, 22, 25)"
    page.get_by_label("Theme").select_option("light")
    page.reload()
    assert page.get_by_label("Theme").input_value() == "light"
    assert background() == "rgb(244, 245, 247)"


def test_a_page_with_a_folder_reads_its_assets_from_the_disk(open_page, window, tmp_path):
    entries = [clip_entry(i) for i in range(3)]
    assets = tmp_path / "ä #% assets"
    page = open_page(
        write_page(tmp_path / "page.html", report_data(entries), report_assets(entries), folder=assets)
    )
    until(
        page,
        "[...document.querySelectorAll('.picture img')].filter((each) => each.naturalWidth).length === 3",
    )
    page.keyboard.press("Space")
    until(page, "document.querySelector('audio').currentTime > 0.05")
    assert page.locator("audio").first.evaluate("sound => sound.src").startswith("file:")
    (assets / "clip-1.json.js").unlink()
    page.keyboard.press("j")
    page.get_by_text('keep the folder "ä #% assets" beside the page').wait_for()
    window.problems.clear()  # the browser reports the missing file


def test_a_detector_without_local_scores_and_kept_clips_says_so(open_page, tmp_path):
    entries = [clip_entry(i) for i in range(2)]
    page = open_page(
        write_page(
            tmp_path / "page.html", report_data(entries), report_assets(entries, full=False), folder=None
        )
    )
    page.locator(".spectrogram").wait_for()
    text = page.locator("#clip").inner_text()
    for note in (
        "The detector gives no local scores.",
        "The sound qualities need kept training clips.",
        "The detector has no backbone with classes.",
        "The detector keeps no training clips.",
    ):
        assert note in text
    assert page.locator(".score-curve").count() == 0


def test_a_sound_that_the_browser_cannot_play_says_why(open_page, tmp_path):
    entries = [clip_entry(0)]
    page = open_page(
        write_page(
            tmp_path / "page.html",
            report_data(entries),
            report_assets(entries, sound=b"no sound"),
            folder=None,
        )
    )
    page.locator(".play").first.click()
    page.get_by_text("The sound cannot be played: this browser does not play the format").wait_for()


def test_a_browser_that_keeps_nothing_still_marks_and_says_so(browser, report):
    page = browser.new_page()
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused'); } });"
    )
    page.goto(report.as_uri())
    page.keyboard.press("c")
    assert "save the marks before you close the page" in page.locator(".toast").inner_text()
    assert '"confirmed"' in save_marks(page)
    page.close()


def test_a_report_without_recordings_and_a_report_of_errors_open(open_page, tmp_path):
    nothing = {"threshold": None, "promise": None, "shift": None, "auc": None, "roc": None}
    page = open_page(write_page(tmp_path / "empty.html", report_data([], **nothing), [], folder=None))
    assert page.locator(".none").inner_text() == "The report holds no recordings."
    page.keyboard.press("j")
    entries = [clip_entry(i, decision="error") for i in range(2)]
    page = open_page(write_page(tmp_path / "errors.html", report_data(entries, **nothing), [], folder=None))
    page.keyboard.press("j")
    assert selected(page) == name_of(1)
    assert "The detector has no threshold" in page.locator(".summary").inner_text()


def test_twenty_thousand_rows_scroll_and_sort_quickly(open_page, tmp_path):
    entries = [clip_entry(i) | {"score": float(i), "decision": "normal"} for i in range(20_000)]
    page = open_page(
        write_page(tmp_path / "page.html", report_data(entries), report_assets(entries[:1]), folder=None)
    )
    assert page.locator("tbody .open").count() < 100
    assert page.locator(".list").get_attribute("aria-rowcount") == "20001"
    took = page.evaluate(
        "() => { const start = performance.now(); document.querySelector('.col-name button').click();"
        " return performance.now() - start; }"
    )
    assert took < 2000
    page.locator(".scroller").evaluate("box => box.scrollTop = box.scrollHeight")
    page.get_by_role("button", name=name_of(19_999)).wait_for()
    assert page.locator("tr.selected, .open").count() < 100
    page.locator("#search").fill("0001234")
    assert names(page) == [name_of(i) for i in (1234, *range(12340, 12350))]


# Function that lists what a reader with a screen reader, or with weak eyes, would stumble over.
_AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")


def test_names_roles_headings_and_contrast_serve_every_reader(open_page, report):
    page = open_page(report)
    page.locator(".neighbours").wait_for()
    page.keyboard.press("c")
    page.locator("details.about summary").click()
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        audit = page.evaluate(_AUDIT)
        assert audit["problems"] == []
        assert audit["n"] > 300
    page.keyboard.press("?")
    page.locator("dialog[open]").wait_for()
    assert page.evaluate(_AUDIT)["problems"] == []


def test_the_keyboard_alone_reaches_the_list_with_one_stop_and_the_focus_is_seen(open_page, report):
    page = open_page(report)
    page.locator("#search").focus()
    stops = []
    for _ in range(24):
        page.keyboard.press("Tab")
        stops.append(
            page.evaluate(
                "[document.activeElement.className, getComputedStyle(document.activeElement).outlineStyle]"
            )
        )
        if stops[-1][0] == "marker":
            break
    assert [each[0] for each in stops].count("open") == 1
    assert all(outline == "solid" for _, outline in stops)
    page.locator(".open[tabindex='0']").focus()
    page.keyboard.press("End")
    assert selected(page) == name_of(10)
    page.keyboard.press("ArrowUp")
    assert selected(page) == name_of(9)
    assert page.evaluate("document.activeElement.dataset.id") == "clip-9"
