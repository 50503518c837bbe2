"""Files and arrays that are played."""

import json
import os

import numpy as np
import pytest
import soundfile

from skaudio_ad.monitoring.sources import (
    ArraySource,
    FileSource,
    FolderSource,
    Source,
    SourceError,
    open_source,
)

from .fake_timer import NOON, FakeTimer, blocks_of, notices_of

RATE = 800


def write(path, samples, rate=RATE, subtype="FLOAT"):
    soundfile.write(path, samples, rate, subtype=subtype)
    return str(path)


@pytest.fixture
def samples():
    return np.random.RandomState(0).uniform(-1, 1, 2000).astype(np.float32)


def joined(blocks):
    return np.concatenate([block.samples[:, 0] for block in blocks])


def test_the_blocks_of_a_file_hold_its_samples_and_times(tmp_path, samples):
    source = FileSource(write(tmp_path / "a.wav", samples), start=NOON)
    blocks = blocks_of(source.stream())
    np.testing.assert_array_equal(joined(blocks), samples)
    assert [block.time - NOON for block in blocks] == [0.0, 1.0, 2.0]
    assert isinstance(source, Source)
    assert (source.describe().sample_rate, source.describe().n_channels) == (RATE, 1)


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_a_replay_goes_on_after_any_block(tmp_path, samples, ending):
    paths = [write(tmp_path / f"{name}.{ending}", samples, subtype="PCM_16") for name in ("a", "b")]
    blocks = blocks_of(FileSource(paths, start=NOON).stream())
    assert len(blocks) == 6
    for index, block in enumerate(blocks):
        position = json.loads(json.dumps(block.position))
        again = blocks_of(FileSource(paths, start=NOON).stream(position))
        assert [other.time for other in again] == [other.time for other in blocks[index + 1 :]]
        for one, other in zip(again, blocks[index + 1 :]):
            np.testing.assert_array_equal(one.samples, other.samples)


def test_a_position_of_other_files_is_refused(tmp_path, samples):
    a, b = (write(tmp_path / name, samples) for name in ("a.wav", "b.wav"))
    position = next(FileSource(a).stream()).position
    with pytest.raises(SourceError, match="same files in the same order"):
        next(FileSource(b).stream(position))


def test_a_file_at_twice_real_time_takes_half_its_duration(tmp_path, samples):
    timer = FakeTimer()
    source = FileSource(write(tmp_path / "a.wav", samples), speed=2.0, timer=timer)
    items = list(source.stream())
    assert timer.mono == pytest.approx(2000 / RATE / 2)
    assert None in items


def test_the_time_of_a_file_is_in_its_name_or_its_modification_minus_its_duration(tmp_path, samples):
    named = write(tmp_path / "mic_2023-11-14T22-13-20Z.wav", samples)
    unnamed = write(tmp_path / "mic.wav", samples)
    os.utime(unnamed, (NOON, NOON))
    assert next(FileSource(named).stream()).time == NOON
    assert next(FileSource(unnamed).stream()).time == NOON - 2000 / RATE


def test_a_change_of_rate_or_channels_between_files_gives_a_notice(tmp_path, samples):
    first = write(tmp_path / "a.wav", samples)
    second = write(tmp_path / "b.wav", samples.reshape(-1, 2), rate=400)
    notices = notices_of(FileSource([first, second], start=NOON).stream())
    assert [notice.kind for notice in notices] == ["rate", "channels"]
    assert "from 800 to 400" in notices[0].text
    assert notices[0].time == NOON + 2.5


def test_samples_that_are_not_a_number_stay(tmp_path, samples):
    samples[7] = np.nan
    assert np.isnan(next(FileSource(write(tmp_path / "a.wav", samples)).stream()).samples[7, 0])
    assert np.isnan(next(ArraySource(samples, RATE).stream()).samples[7, 0])


def test_a_truncated_file_ends_the_replay_with_its_name(tmp_path, samples):
    path = write(tmp_path / "a.wav", samples)
    with open(path, "r+b") as file:
        file.truncate(3000)
    with pytest.raises(
        SourceError, match=r"a\.wav: is truncated: its header promises 8000 bytes.*; restore it\.$"
    ):
        list(FileSource(path).stream())
    with pytest.raises(SourceError, match=r"b\.wav: no such file"):
        FileSource(tmp_path / "b.wav").describe()


def test_a_closed_source_ends(tmp_path, samples):
    for source in (FileSource(write(tmp_path / "a.wav", samples)), ArraySource(samples, RATE)):
        stream = source.stream()
        next(stream)
        source.close()
        source.close()
        assert list(stream) == []


def test_an_array_goes_on_after_any_block(samples):
    source = ArraySource(samples.reshape(-1, 2), RATE, start=5.0, block=0.5)
    blocks = list(source.stream())
    np.testing.assert_array_equal(np.concatenate([block.samples for block in blocks]), samples.reshape(-1, 2))
    assert [block.time for block in source.stream(blocks[0].position)] == [5.5, 6.0]


def test_an_array_of_three_axes_is_refused():
    with pytest.raises(ValueError, match="samples must have shape"):
        ArraySource(np.zeros((2, 2, 2)), RATE)


def test_a_text_names_a_folder_or_a_file(tmp_path, samples):
    assert isinstance(open_source(str(tmp_path)), FolderSource)
    assert isinstance(open_source(write(tmp_path / "a.wav", samples), speed=1.0), FileSource)
    with pytest.raises(
        SourceError,
        match=r"names no source, and no such file or folder exists\. A source is '-'.*mic:NAME.*rtsp://.*a folder",
    ):
        open_source(str(tmp_path / "gone.wav"))
    with pytest.raises(TypeError, match="settle"):
        open_source(str(tmp_path / "a.wav"), settle=3.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"speed": 0}, "speed"),
        ({"start": "now"}, "start"),
        ({"time_zone": "Mars/North"}, "time_zone='Mars/North'"),
    ],
)
def test_a_parameter_out_of_range_is_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        FileSource("a.wav", **arguments)
