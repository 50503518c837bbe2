"""Tests of the sinks that a configuration of ``skaudio-ad watch`` asks for."""

import click
import pytest

from skaudio_ad.cli._watch_sinks import build_sinks


def test_every_sink_of_a_kind_has_its_own_name_and_the_settings_stay(tmp_path):
    settings = {
        "jsonl": [{"path": str(tmp_path / "a")}, {"path": str(tmp_path / "b"), "name": "second"}],
        "webhook": [{"url": "https://example.org/a"}, {"url": "https://example.org/b"}],
        "audio": [{"folder": str(tmp_path)}],
        "page": [{"port": 0}],
    }
    for _ in range(2):
        made = build_sinks(settings, view=True)
        names = [sink.name for sink in made]
        assert names == ["jsonl", "second", "audio", "webhook", "webhook-2", "page", "terminal"]
        assert made[5].audio_folder == tmp_path


def test_a_secret_comes_from_the_environment_or_from_the_table(monkeypatch):
    monkeypatch.setenv("SKAUDIO_AD_MQTT_PASSWORD", "from outside")
    tables = [{"host": "a", "username": "u"}, {"host": "b", "username": "u", "password": "own"}]
    outside, own = build_sinks({"mqtt": tables}, view=False)
    assert "from outside" in map(str, vars(outside).values())
    assert "own" in map(str, vars(own).values())


def test_a_table_without_its_place_is_refused():
    with pytest.raises(click.UsageError, match=r"the table \[webhook\] .* needs the key url"):
        build_sinks({"webhook": [{"timeout": 3}]}, view=False)
