import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from skaudio_ad import (
    AudioClips,
    AudioLoader,
    LevelNormalizer,
)
from skaudio_ad.audio import AudioReadError, AudioReadWarning, read_audio


def test_clips_hold_the_samples_that_soundfile_reads(write_wavs):
    paths = write_wavs([100, 200, 300])
    clips = AudioClips(paths, 16000)
    assert len(clips) == 3
    assert clips.paths == paths
    for clip, path in zip(clips, paths):
        np.testing.assert_array_equal(clip, soundfile.read(path, dtype="float32")[0])


@pytest.mark.parametrize(
    "key",
    [slice(1, 3), slice(None, None, -1), [0, -1], np.array([2, 2, 0]), np.array([True, False, True, False])],
    ids=str,
)
def test_a_subset_has_the_paths_that_numpy_would_select(write_wavs, key):
    paths = write_wavs([10, 20, 30, 40])
    part = AudioClips(paths, 16000)[key]
    expected = np.array(paths)[key].tolist()
    assert part.paths == expected
    assert part.sample_rate == 16000
    assert [len(clip) for clip in part] == [len(soundfile.read(path)[0]) for path in expected]


def test_an_index_may_count_from_either_end(write_wavs):
    clips = AudioClips(write_wavs([10, 20, 30]), 16000)
    assert [clips[i].shape for i in (0, -1, np.int64(1))] == [(10,), (30,), (20,)]
    with pytest.raises(IndexError, match="clip 3 does not exist: there are 3 clips"):
        clips[3]


def test_iteration_over_many_clips_keeps_the_order(write_wavs):
    lengths = list(range(10, 60))
    clips = AudioClips(write_wavs(lengths), 16000)
    assert [len(clip) for clip in clips] == lengths


def test_a_clip_is_decoded_on_access_and_not_before(write_wavs, decoded):
    paths = write_wavs([100] * 20)
    clips = AudioClips(paths, 16000)
    part = LevelNormalizer().fit_transform(AudioLoader().fit_transform(clips))[5:]
    assert len(part) == 15
    repr(part)
    pickle.dumps(part)
    assert decoded == []
    assert part[2].shape == (100,)
    assert decoded == [paths[7]]


def test_a_file_removed_after_construction_raises_an_error_on_access_only(write_wavs):
    paths = write_wavs([100, 100])
    clips = AudioClips(paths, 16000)
    os.remove(paths[1])
    assert clips[0].shape == (100,)
    with pytest.raises(AudioReadError, match=r"clip_1\.wav: no such file"):
        clips[1]


def test_clips_of_one_length_become_one_array(write_wavs):
    paths = write_wavs([50, 50, 50])
    expected = np.stack([soundfile.read(path, dtype="float32")[0] for path in paths])
    np.testing.assert_array_equal(np.asarray(AudioClips(paths, 16000)), expected)
    assert np.asarray(AudioClips(paths, 16000), dtype=np.float64).dtype == np.float64


def test_the_error_for_an_array_of_clips_of_different_lengths_says_how_to_fix_them(write_wavs):
    with pytest.raises(
        ValueError, match=r"AudioClips holds clips of different lengths.*a duration and a pad"
    ):
        np.asarray(AudioClips(write_wavs([50, 60]), 16000))


def test_pickled_clips_are_the_same_clips_and_hold_no_samples(write_wavs):
    paths = write_wavs([16000, 16000])
    clips = AudioLoader(duration=0.5, offset=0.1).fit_transform(paths)
    pickled = pickle.dumps(LevelNormalizer().fit_transform(clips))
    assert len(pickled) < 4000
    restored = pickle.loads(pickled)
    assert restored.sample_rate == 16000
    for a, b in zip(restored, LevelNormalizer().fit_transform(clips)):
        np.testing.assert_array_equal(a, b)


def test_the_shape_is_known_without_decoding_where_the_length_is_fixed(write_wavs, decoded):
    paths = write_wavs([100, 200])
    assert AudioClips(paths, 16000).shape == (2,)
    assert AudioClips(paths, 16000, duration=0.25, pad="zeros").shape == (2, 4000)
    assert AudioClips(np.zeros((3, 7)), 16000).shape == (3, 7)
    assert decoded == []


def test_the_repr_gives_the_number_of_clips_and_their_rate():
    assert repr(AudioClips([np.zeros(3)] * 4, 8000)) == "<AudioClips of 4 clips at 8000 Hz>"
    assert repr(AudioClips([np.zeros(3)], None)) == "<AudioClips of 1 clips at an unknown rate>"


def test_clips_of_files_need_a_sample_rate():
    with pytest.raises(ValueError, match="AudioClips of files need a sample_rate"):
        AudioClips(["a.wav"], None)


def test_paths_may_come_as_path_objects_or_as_an_array(write_wavs):
    paths = write_wavs([10, 20])
    for given in ([Path(p) for p in paths], np.array(paths), pd.Series(paths, index=[7, 3])):
        clips = AudioClips(given, 16000)
        assert clips.paths == paths
        assert [type(path) for path in clips.paths] == [str, str]
        assert [len(clip) for clip in clips] == [10, 20]


def test_samples_in_memory_are_returned_as_float32():
    clips = AudioClips([np.array([0.5, -0.5]), np.array([0.25])], 16000)
    assert [clip.tolist() for clip in clips] == [[0.5, -0.5], [0.25]]
    assert clips[0].dtype == np.float32
    assert clips.paths is None


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (np.zeros((9, 2)), r"clip 1: has shape \(9, 2\), a clip is mono"),
        (np.zeros(0), r"clip 1: is empty"),
        (np.array([0.0, np.nan]), r"clip 1: contains NaN or infinity"),
        (np.array([1, 2], dtype=np.int16), r"clip 1: holds int16 samples.*divide by 32768"),
    ],
)
def test_invalid_samples_in_memory_are_refused_on_access(clip, message):
    clips = AudioClips([np.zeros(9), clip], 16000)
    with pytest.raises(ValueError, match=message):
        clips[1]


def test_clips_of_a_single_path_are_refused():
    with pytest.raises(ValueError, match=r"takes a list of files, got the single path 'a\.wav'"):
        AudioClips("a.wav", 16000)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="their file names are Unicode")
@pytest.mark.parametrize(
    "name", [b"caf\xe9.wav", b"two\nlines.wav", b"\x1b[31mred.wav", b"-o.wav", b"=1+1.wav"], ids=repr
)
def test_a_file_with_any_name_is_read_and_its_messages_are_safe_for_a_terminal(tmp_path, name):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    with open(path, "wb") as file:
        soundfile.write(file, np.full(1000, 0.5), 16000, format="WAV")
    clips = AudioLoader(on_error="skip").fit_transform([path])
    np.testing.assert_array_equal(clips[0], np.full(1000, 0.5, dtype=np.float32))
    assert clips.cache_keys()[0][1] == path
    with open(path, "wb") as file:
        file.write(b"no audio")
    with pytest.raises(AudioReadError) as caught:
        read_audio(path)
    assert caught.value.path == path
    with pytest.warns(AudioReadWarning) as warned:
        assert np.isnan(AudioLoader(on_error="skip").fit_transform([path])[0]).all()
    for message in (str(caught.value), repr(clips), str(warned[0].message)):
        assert message.isprintable()
        assert message.encode("utf-8").decode("utf-8") == message
