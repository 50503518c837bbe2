"""Tests of the configuration file of ``skaudio-ad watch``."""

from pathlib import Path

import pytest

from skaudio_ad.cli._watch import merge_settings
from skaudio_ad.cli._watch_config import read_config

GOOD = """
detector = "pump.skops"
source = "recordings"
window = 10
drift = false

[audio]
folder = "/events"
max_bytes = 1e9

[[webhook]]
url = "https://example.org/alarm"

[[webhook]]
url = "https://example.org/second"
headers = { Authorization = "Bearer x" }
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "watch.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_paths_count_from_the_folder_of_the_file(written, tmp_path):
    settings = read_config(written(GOOD))
    assert Path(settings["detector"]) == tmp_path / "pump.skops"
    assert Path(settings["source"]) == tmp_path / "recordings"
    assert settings["audio"] == [{"folder": "/events", "max_bytes": 1e9}]
    assert [table["url"] for table in settings["webhook"]] == [
        "https://example.org/alarm",
        "https://example.org/second",
    ]


@pytest.mark.parametrize("source", ["-", "mic:", "mic:USB Audio", "rtsp://camera/sound", "http://host/live"])
def test_a_source_that_is_no_path_stays_as_it_is(written, source):
    assert read_config(written(f'source = "{source}"'))["source"] == source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hops = 1", "the key hops is unknown. Did you mean hop"),
        ("[audio]\nfoldr = 'x'", r"the key audio.foldr is unknown. Did you mean folder"),
        ("window = '10'", "window must be of type int or float, got '10'"),
        ("sample_rate = true", "sample_rate must be of type int, got True"),
        ("page = 8000", r"page must be a table: write \[page\]"),
        ("webhook = ['a']", r"every webhook must be a table: write \[\[webhook\]\]"),
        ("window = ", "is no TOML file"),
    ],
)
def test_a_wrong_line_is_refused_by_name(written, text, message):
    path = written(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_config(path)
    assert str(path) in str(caught.value)


def test_options_of_the_command_line_replace_settings_of_the_file(written):
    given = {
        "window": 5.0,
        "drift": None,
        "page": 8000,
        "mqtt": "broker:1884",
        "on_event": "notify 'two words'",
    }
    settings = merge_settings(read_config(written(GOOD)), given)
    assert settings["window"] == 5.0
    assert settings["drift"] is False
    assert settings["page"] == [{"port": 8000}]
    assert settings["mqtt"] == [{"host": "broker", "port": 1884}]
    assert settings["command"] == [{"argv": ["notify", "two words"]}]
