"""Cut sound that arrives in blocks into windows."""

import numpy as np
import pytest
import soundfile
import soxr

from skaudio_ad.audio._window_cutter import WindowCutter


def push_all(cutter, samples, size):
    found = [
        window
        for start in range(0, len(samples), size)
        for window in cutter.push(samples[start : start + size])
    ]
    return found + cutter.finish()


@pytest.mark.parametrize("channel", ["mix", 1, (1, 0)], ids=str)
@pytest.mark.parametrize("own_rate", [8000, 11025])
def test_windows_are_slices_of_the_resampled_whole_for_any_size_of_the_blocks(rng, own_rate, channel):
    samples = rng.normal(scale=0.1, size=(3 * own_rate, 2)).astype(np.float32)
    mono = (
        [samples.mean(axis=1)]
        if channel == "mix"
        else [samples[:, index] for index in np.atleast_1d(channel)]
    )
    whole = np.stack([soxr.resample(row, own_rate, 8000, quality="HQ") for row in mono])
    whole = whole if isinstance(channel, tuple) else whole[0]
    for size in (700, 20000):
        found = push_all(WindowCutter(own_rate, 2, 8000, 1.0, 0.3, channel), samples, size)
        assert [start for start, _ in found] == [0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8]
        for start, window in found:
            np.testing.assert_array_equal(
                window, whole[..., round(start * 8000) : round(start * 8000) + 8000]
            )


def test_a_window_comes_with_the_block_that_holds_its_last_sample():
    cutter = WindowCutter(8000, 1, 8000, 1.0, 1.0)
    assert cutter.push(np.zeros((7999, 1), np.float32)) == []
    ((start, window),) = cutter.push(np.ones((1, 1), np.float32))
    assert start == 0
    assert window[-1] == 1
    assert window.sum() == 1
    assert cutter.seconds == 1


def test_starts_do_not_drift_where_the_hop_is_no_whole_number_of_samples():
    cutter = WindowCutter(1000, 1, 1000, 0.1, 1 / 3)
    ramp = np.arange(100_000, dtype=np.float32)[:, np.newaxis]
    start, window = push_all(cutter, ramp, 4096)[299]
    assert start == pytest.approx(299 / 3)
    assert window[0] == round(299 * 1000 / 3)


def test_gaps_between_windows_are_left_out():
    ramp = np.arange(10_000, dtype=np.float32)[:, np.newaxis]
    found = push_all(WindowCutter(1000, 1, 1000, 1.0, 3.0), ramp, 300)
    assert [window[0] for _, window in found] == [0, 3000, 6000, 9000]


@pytest.mark.parametrize("rate", [1000, 1600])
def test_a_broken_sample_makes_only_its_own_windows_nan(rng, rate):
    samples = rng.normal(size=(5000, 1)).astype(np.float32)
    samples[2500] = np.inf
    found = push_all(WindowCutter(1000, 1, rate, 1.0, 1.0), samples, 512)
    assert [bool(np.isnan(window).any()) for _, window in found] == [False, False, True, False, False]
    assert np.count_nonzero(np.isnan(found[2][1])) <= 3
    assert all(np.isfinite(window[~np.isnan(window)]).all() for _, window in found)


def test_few_samples_are_kept():
    cutter = WindowCutter(8000, 1, 8000, 1.0, 0.5)
    block = np.zeros((800, 1), np.float32)
    for _ in range(500):
        cutter.push(block)
    assert sum(rows.size for rows in cutter._kept) <= 8000


def test_errors_of_the_parameters_say_what_is_wrong():
    with pytest.raises(ValueError, match="channel=2 does not exist: the sound has 2 channel"):
        WindowCutter(8000, 2, 8000, 1.0, 1.0, 2)
    with pytest.raises(ValueError, match="at least one sample"):
        WindowCutter(8000, 1, 8000, 1e-6, 1.0)
    with pytest.raises(ValueError, match=r"shape \(n_samples, 2\), got \(5,\)"):
        WindowCutter(8000, 2, 8000, 1.0, 1.0).push(np.zeros(5, np.float32))


def test_the_windows_of_a_file_equal_those_that_the_reader_cuts(rng, tmp_path):
    path = str(tmp_path / "sound.wav")
    soundfile.write(path, rng.normal(scale=0.1, size=20_000), 8000)
    from skaudio_ad.audio import read_audio

    samples = soundfile.read(path, dtype="float32", always_2d=True)[0]
    for start, window in push_all(WindowCutter(8000, 1, 16000, 0.5, 0.25), samples, 3000):
        whole = read_audio(path, 16000)[0]
        first = round(start * 16000)
        np.testing.assert_array_equal(window, whole[first : first + 8000])
