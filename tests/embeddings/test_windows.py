"""Which samples go into which window."""

import numpy as np
import pytest

from skaudio_ad.embeddings._windows import adjacent_windows, averaged_windows, pad_to


@pytest.mark.parametrize("n_samples", [1, 7, 8])
def test_a_clip_no_longer_than_a_window_is_its_only_one(n_samples):
    clip = np.arange(n_samples, dtype=np.float32)
    windows = averaged_windows(clip, 8, 2)
    np.testing.assert_array_equal(windows, clip[np.newaxis])
    assert np.shares_memory(windows, clip)
    [window] = adjacent_windows(clip, 8)
    np.testing.assert_array_equal(window, clip)


@pytest.mark.parametrize(
    ("n_samples", "length", "hop_length"), [(9, 8, 2), (20, 8, 3), (21, 7, 2), (64, 8, 8), (13, 8, 1)]
)
def test_a_longer_clip_is_mirrored_at_its_ends_and_cut_at_every_step(n_samples, length, hop_length):
    clip = np.random.default_rng(0).normal(size=n_samples).astype(np.float32)
    windows = averaged_windows(clip, length, hop_length)
    starts = range(-(length // 2), n_samples + length // 2 - length + 1, hop_length)
    assert len(windows) == len(starts)
    for start, window in zip(starts, windows):
        positions = np.abs(np.arange(start, start + length))  # mirrored at the first sample
        positions = np.where(positions < n_samples, positions, 2 * (n_samples - 1) - positions)
        np.testing.assert_array_equal(window, clip[positions])


def test_the_ends_of_a_longer_clip_are_heard_about_as_often_as_its_middle():
    heard = np.bincount(averaged_windows(np.arange(400), 80, 20).ravel())
    assert set(heard[80:-80]) == {4}
    assert set(heard) <= {3, 4, 5, 6}


def test_windows_of_a_long_clip_are_views_that_take_no_memory():
    windows = averaged_windows(np.zeros(10_000, dtype=np.float32), 1000, 10)
    assert windows.size > 100 * 10_000 - 10_000
    assert np.shares_memory(windows[0], windows[1])
    clip = np.zeros(10_000, dtype=np.float32)
    assert all(np.shares_memory(window, clip) for window in adjacent_windows(clip, 1000))


@pytest.mark.parametrize(("n_samples", "lengths"), [(20, [8, 8, 4]), (16, [8, 8]), (17, [8, 8, 1])])
def test_windows_end_to_end_are_the_clip_and_the_last_one_is_what_is_left(n_samples, lengths):
    clip = np.arange(n_samples)
    windows = adjacent_windows(clip, 8)
    assert [len(window) for window in windows] == lengths
    np.testing.assert_array_equal(np.concatenate(windows), clip)


def test_silence_comes_after_a_clip_that_is_too_short_and_after_no_other():
    clip = np.array([1, 2, 3], dtype=np.float32)
    padded = pad_to(clip, 5)
    np.testing.assert_array_equal(padded, [1, 2, 3, 0, 0])
    assert padded.dtype == np.float32
    assert pad_to(clip, 3) is clip
    assert pad_to(clip, 2) is clip


def test_windows_end_to_end_may_overlap_by_what_a_frame_reaches_beyond_its_step():
    clip = np.arange(26)
    for n, starts in ((1, [0]), (12, [0]), (13, [0, 10]), (22, [0, 10]), (23, [0, 10, 20])):
        windows = adjacent_windows(clip[:n], 12, 10)
        assert [window.tolist() for window in windows] == [clip[:n][s : s + 12].tolist() for s in starts]
