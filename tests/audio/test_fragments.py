"""Segments of long recordings: paths with a media fragment."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from skaudio_ad import AudioLoader
from skaudio_ad._media_fragments import split_fragment
from skaudio_ad._path_groups import groups_from_paths, labels_from_paths
from skaudio_ad.audio import (
    AudioClips,
    AudioReadError,
    find_audio_files,
    read_audio,
    segment,
    segment_groups,
)
from skaudio_ad.audio._open import read_duration, read_sample_rate
from skaudio_ad.recordings._measure import Measure

RATE = 8000


@pytest.fixture
def long(tmp_path, rng):
    path = str(tmp_path / "long.flac")
    samples = rng.uniform(-0.5, 0.5, size=(round(3.55 * RATE), 2))
    soundfile.write(path, samples, RATE)
    return path


def test_segments_are_media_fragments_that_fit_whole(long):
    assert segment([long], 1.5) == [f"{long}#t=0,1.5", f"{long}#t=1.5,3"]
    assert segment([long], 1.5, 0.75) == [
        f"{long}#t={start},{end}" for start, end in [("0", "1.5"), ("0.75", "2.25"), ("1.5", "3")]
    ]
    assert len(segment([long, long], 3.55)) == 2


def test_the_samples_of_a_segment_are_the_slice_of_the_whole_file(long):
    whole = soundfile.read(long, dtype="float32")[0].mean(axis=1)
    for name, start in zip(segment([long], 1.1), (0, 8800, 17600)):
        np.testing.assert_array_equal(read_audio(name)[0], whole[start : start + 8800])


def test_a_resampled_segment_is_what_offset_and_duration_read(long):
    for name in segment([long], 1.1, 0.7):
        _, start, end = split_fragment(name)
        expected, _ = read_audio(long, 11025, offset=start, duration=1.1, channel=(1, 0))
        found, _ = read_audio(name, 11025, channel=(1, 0))
        np.testing.assert_array_equal(found, expected)
        assert end == pytest.approx(start + 1.1)


def test_offset_duration_and_pad_count_within_the_segment(long):
    whole, name = read_audio(long)[0], f"{long}#t=1,2"
    np.testing.assert_array_equal(read_audio(name, offset=0.25)[0], whole[10000:16000])
    np.testing.assert_array_equal(read_audio(name, offset=0.25, duration=0.5)[0], whole[10000:14000])
    padded = read_audio(name, duration=1.5, pad="zeros")[0]
    np.testing.assert_array_equal(padded, np.append(whole[8000:16000], np.zeros(4000)))
    with pytest.raises(AudioReadError, match=r"lasts 1 s, so nothing is left after offset=1 s"):
        read_audio(name, offset=1.0)


def test_a_fragment_may_lack_its_start_or_its_end(long):
    whole = read_audio(long)[0]
    np.testing.assert_array_equal(read_audio(f"{long}#t=3")[0], whole[24000:])
    np.testing.assert_array_equal(read_audio(f"{long}#t=,0.5")[0], whole[:4000])
    np.testing.assert_array_equal(read_audio(f"{long}#t=npt:3,9")[0], whole[24000:])


@pytest.mark.parametrize(
    ("fragment", "match"),
    [
        ("#t=2,1", "ends before its start"),
        ("#t=4,5", "beyond the end of the file, which lasts 3.55 s"),
        ("#t=0:01,0:02", "no such file"),
        (f"#t=0,{'9' * 400}", "cannot be opened"),
    ],
)
def test_a_stretch_that_does_not_exist_is_an_error_that_names_the_path(long, fragment, match):
    with pytest.raises(AudioReadError, match=match) as raised:
        read_audio(long + fragment)
    assert raised.value.path == long + fragment


def test_a_file_with_such_a_name_is_a_whole_file(tmp_path):
    path = str(tmp_path / "odd.wav#t=10,20")
    soundfile.write(path, np.ones(100), RATE, format="WAV")
    assert len(read_audio(path)[0]) == 100
    assert segment_groups([path]) == [path]


def test_headers_tell_the_duration_and_the_rate_of_a_segment(long):
    assert read_duration(f"{long}#t=1,2.5") == 1.5
    assert read_duration(f"{long}#t=3,9") == pytest.approx(0.55)
    assert read_sample_rate(f"{long}#t=1,2.5") == RATE
    loader = AudioLoader(RATE).fit(segment([long], 1.5))
    np.testing.assert_array_equal(loader.durations_, [1.5, 1.5])
    assert AudioLoader(RATE, offset=0.5).fit([long, f"{long}#t=1,2"]).durations_.tolist() == [0.5, 3.05]
    assert AudioLoader(RATE, duration=9, pad="zeros").fit([long]).durations_.tolist() == [9, 9]
    assert not hasattr(AudioLoader(RATE).fit([np.ones(100)]), "durations_")


def test_every_segment_has_a_key_of_its_own_in_a_cache(long):
    names = segment([long], 1.0)
    for by in ("file", "content"):
        keys = AudioClips([*names, long], RATE).cache_keys(by)
        assert len(set(keys)) == 4
        assert keys == AudioClips([*names, long], RATE).cache_keys(by)


def test_a_truncated_file_is_an_error_of_its_segments(tmp_path, rng):
    path = tmp_path / "cut.wav"
    soundfile.write(path, rng.uniform(-0.5, 0.5, 3 * RATE), RATE)
    names = segment([path], 1.0)
    path.write_bytes(path.read_bytes()[:-RATE])
    with pytest.raises(AudioReadError, match="truncated"):
        read_audio(names[0])
    with pytest.raises(AudioReadError, match=r"cut.wav: is truncated"):
        segment([path], 1.0)


def test_a_recording_shorter_than_a_segment_is_named(long, write_wavs):
    (short,) = write_wavs([4000], RATE)
    with pytest.raises(
        AudioReadError, match=r"clip_0.wav: lasts 0.5 s, which is less than one segment of 1 s"
    ):
        segment([long, short], 1.0)


def test_a_file_of_unknown_length_is_cut_after_it_has_been_decoded(long, tmp_path):
    content = bytearray(Path(long).read_bytes())
    # Total number of samples in STREAMINFO: 36 bits from bit 108 of the block, whose header ends at byte 8. FLAC
    # format, section 8.2.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path = tmp_path / "piped.flac"
    path.write_bytes(content)
    assert segment([path], 1.5) == [f"{path}#t=0,1.5", f"{path}#t=1.5,3"]
    np.testing.assert_array_equal(read_audio(f"{path}#t=1.5,3")[0], read_audio(f"{long}#t=1.5,3")[0])


def test_segments_of_a_segment_count_from_the_start_of_the_file(long):
    assert segment([f"{long}#t=1,3"], 1.0) == [f"{long}#t=1,2", f"{long}#t=2,3"]


def test_blocks_share_no_segment(long):
    names = segment([long], 0.5, 0.25, block=1.0)
    spans = [split_fragment(name)[1:] for name in names]
    assert spans == [(start + step, start + step + 0.5) for start in range(3) for step in (0, 0.25, 0.5)] + [
        (3.0, 3.5)
    ]
    groups = segment_groups(names, block=1.0)
    assert groups == [f"{long}#t={start},{start + 1}" for start in [0] * 3 + [1] * 3 + [2] * 3 + [3]]
    assert set(segment_groups(names)) == {long}
    with pytest.raises(ValueError, match="crosses the border of two blocks of 1 s"):
        segment_groups(segment([long], 0.5, 0.25), block=1.0)


def test_labels_come_from_the_name_of_the_file(tmp_path):
    names = [f"{tmp_path}/id_1_a.wav#t=0,10", f"{tmp_path}/id_2_b.wav#t=0,10"]
    assert groups_from_paths("_([ab])[.]wav$", names) == ["a", "b"]
    assert labels_from_paths("folder", names) == [tmp_path.name] * 2


def test_segments_of_one_file_are_checked_one_by_one(long, tmp_path):
    first, second = map(Measure(), segment([long], 1.5))
    assert first.duration == 1.5
    assert first.digest != second.digest
    whole = Measure()(long)
    assert whole.duration == pytest.approx(3.55)
    assert Measure()(f"{long}#t=,1.5").digest == first.digest


def test_the_list_of_files_is_unchanged(long, tmp_path):
    assert find_audio_files(tmp_path) == [long]


def test_wrong_parameters_say_what_is_allowed(long):
    with pytest.raises(ValueError, match="list of recordings"):
        segment(long, 1.0)
    with pytest.raises(ValueError, match="at least as long as a segment"):
        segment([long], 1.0, block=0.5)
    with pytest.raises(ValueError, match="window"):
        segment([long], 0)
    with pytest.raises(AudioReadError, match="no such file"):
        segment(["gone.wav"], 1.0)
