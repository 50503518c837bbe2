"""Times and recorders in the names of files."""

import datetime as dt

import pytest

from skaudio_ad.monitoring.sources._file_times import recorder_of, time_in_name

UTC = dt.UTC
EXPECTED = dt.datetime(2026, 11, 27, 9, 54, 11, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("name", "resolution"),
    [
        ("20261127_095411.WAV", 1.0),  # AudioMoth
        ("20261127_095411T.WAV", 1.0),  # AudioMoth, triggered
        ("SMA01234_20261127_095411.wav", 1.0),  # Song Meter
        ("mic-2026-11-27T09-54-11Z.flac", 1.0),
        ("mic 2026-11-27 09.54.11.wav", 1.0),
        ("20261127095411.wav", 1.0),
        ("2026-11-27T10:54:11+01:00.wav", 1.0),
        ("2026-11-27_09-54-11.000Z.wav", 0.001),
    ],
)
def test_a_time_in_a_name_is_read(name, resolution):
    time, found = time_in_name(name, "UTC")
    assert time == EXPECTED
    assert found == pytest.approx(resolution)


def test_a_fraction_and_a_time_zone_are_read():
    assert time_in_name("20261127_095411.250.wav", "UTC")[0] == EXPECTED + 0.25
    assert time_in_name("20261127_105411.wav", "Europe/Berlin")[0] == EXPECTED
    local = dt.datetime(2026, 11, 27, 9, 54, 11).timestamp()
    assert time_in_name("20261127_095411.wav")[0] == local


@pytest.mark.parametrize("number", ["-9930", "-0001", "+1530", "-001"])
def test_a_number_after_the_time_that_is_no_time_zone_is_left_alone(number):
    assert time_in_name(f"20261127_095411{number}.wav", "UTC") == (EXPECTED, 1.0)


@pytest.mark.parametrize(
    "name", ["pump.wav", "rec_000123.wav", "20261327_095411.wav", "2026-11-27.wav", "1234567890123456789.wav"]
)
def test_a_name_without_a_time_gives_none(name):
    assert time_in_name(name, "UTC") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("mic1_20261127_095411.wav", "mic1_20261127_095511.wav", True),
        ("mic1_20261127_095411.wav", "mic2_20261127_095411.wav", False),
        ("mic1_001.wav", "mic1_002.wav", True),
        ("mic1_001.wav", "mic2_001.wav", False),
        ("20261127_095411.wav", "20261127_095511.wav", True),
    ],
)
def test_files_of_one_recorder_have_the_same_name_apart_from_time_or_number(one, other, same):
    assert (recorder_of(one) == recorder_of(other)) is same
