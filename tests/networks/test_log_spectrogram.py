"""The log-magnitude spectrogram against its formula in NumPy, float64."""

import numpy as np
import pytest
import torch

from skaudio_ad.networks._log_spectrogram import LogSpectrogram

ECHO = {"offset": 1e-9, "mean": -5.874158, "std": 5.223174}


def front_end(sample_rate, **settings):
    n_fft, hop_length = int(0.025 * sample_rate), int(0.01 * sample_rate)
    return LogSpectrogram(sample_rate, n_fft=n_fft, hop_length=hop_length, **(ECHO | settings))


def formula(waveform, sample_rate, *, offset, mean, std, subtract_mean=True):
    n_fft, hop_length = int(0.025 * sample_rate), int(0.01 * sample_rate)
    x = waveform.astype(np.float64)
    x = x - x.mean() * subtract_mean
    starts = np.arange(0, len(x) - n_fft + 1, hop_length)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    magnitudes = np.abs(np.fft.rfft(x[starts[:, None] + np.arange(n_fft)] * window))
    return ((np.log(magnitudes + offset) - mean) / (2 * std)).T


def noise(n_clips, n_samples):
    return (0.02 + np.random.default_rng(0).normal(scale=0.1, size=(n_clips, n_samples))).astype(np.float32)


@pytest.mark.parametrize("sample_rate", [8000, 11_025, 16_000, 22_050, 44_100, 96_000])
def test_it_equals_its_formula_at_every_rate(sample_rate):
    waveforms = noise(2, sample_rate // 4 + 3)
    made = front_end(sample_rate)(torch.from_numpy(waveforms)).numpy()
    expected = np.stack([formula(waveform, sample_rate, **ECHO) for waveform in waveforms])
    np.testing.assert_allclose(made, expected, atol=1e-4)


def test_all_frames_of_a_long_clip_are_made():
    fisher = {"offset": 1e-10, "mean": -3.017344307886898, "std": 2.1531635155379805}
    waveform = noise(1, 3 * 8000)
    made = front_end(8000, **fisher)(torch.from_numpy(waveform))
    assert made.shape == (1, 101, 298)
    np.testing.assert_allclose(made[0], formula(waveform[0], 8000, **fisher), atol=2e-4)


def test_the_mean_may_stay():
    waveform = noise(1, 400)
    made = front_end(16_000, subtract_mean=False)(torch.from_numpy(waveform))
    np.testing.assert_allclose(made[0], formula(waveform[0], 16_000, **ECHO, subtract_mean=False), atol=1e-4)


def test_a_clip_gets_the_same_numbers_in_any_batch():
    waveforms = torch.from_numpy(noise(3, 4000))
    module = front_end(16_000)
    assert torch.equal(module(waveforms)[1], module(waveforms[1:2])[0])


def test_silence_gives_the_logarithm_of_the_offset():
    made = front_end(16_000)(torch.zeros(1, 400))
    np.testing.assert_allclose(made, (np.log(1e-9) + 5.874158) / (2 * 5.223174), rtol=1e-6)


@pytest.mark.parametrize("sample_rate", [1, 99])
def test_a_rate_without_a_step_is_refused(sample_rate):
    with pytest.raises(ValueError, match="sample_rate must be at least 100 Hz"):
        front_end(sample_rate)


def test_bad_waveforms_are_refused():
    module = front_end(16_000)
    with pytest.raises(ValueError, match="at least 400 samples, one window of the spectrogram; got 399"):
        module(torch.zeros(1, 399))
    with pytest.raises(ValueError, match=r"one waveform x is x\[None\]"):
        module(torch.zeros(400))
    with pytest.raises(TypeError, match=r"must be torch.float32, got torch.float64"):
        module(torch.zeros(1, 400, dtype=torch.float64))
