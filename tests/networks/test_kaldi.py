"""Kaldi's filter bank against torchaudio's, and against the formulas in NumPy."""

import warnings

import numpy as np
import pytest
import torch

from skaudio_ad.networks._kaldi import KaldiFilterBank, kaldi_band_to_hertz

SAMPLE_RATE = 16_000


@pytest.fixture(scope="module")
def kaldi():
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torchaudio, on its end of life
            from torchaudio.compliance import kaldi
    except Exception as error:  # a build for another torch raises OSError or RuntimeError
        pytest.skip(f"torchaudio cannot be imported: {error}")
    return kaldi


def fbank(kaldi, waveform, window):
    names = {"povey": "povey", "hann": "hanning"}
    return kaldi.fbank(waveform, num_mel_bins=128, sample_frequency=SAMPLE_RATE, window_type=names[window]).T[
        None
    ]


def seconds(n):
    return np.arange(int(n * SAMPLE_RATE)) / SAMPLE_RATE


def sounds():
    rng = np.random.default_rng(0)
    return {
        "noise": rng.normal(0, 0.2, SAMPLE_RATE),
        "quiet noise": rng.normal(0, 1e-4, SAMPLE_RATE),
        "silence": np.zeros(SAMPLE_RATE),
        "clipping": np.clip(3 * np.sin(2 * np.pi * 437.7 * seconds(1)), -1, 1),
        "tone at the corner of a band": np.sin(2 * np.pi * 31.25 * seconds(1)),
        "click": (np.arange(SAMPLE_RATE) == 5000).astype(float),
        "shortest": rng.normal(0, 0.2, KaldiFilterBank.min_samples),
    }


def tensor(waveform):
    return torch.from_numpy(np.asarray(waveform, dtype=np.float32))[None]


@pytest.mark.parametrize("window", ["povey", "hann"])
@pytest.mark.parametrize("sound", sounds())
def test_it_equals_torchaudio(kaldi, sound, window):
    waveform = tensor(sounds()[sound]) * 2**15
    made, expected = KaldiFilterBank(window)(waveform), fbank(kaldi, waveform, window)
    # Rounding of the Fourier transform is relative to the loudest frequency, so it shows in the quiet bands of a tone.
    power, error = expected.exp(), (made.exp() - expected.exp()).abs()
    assert (error <= 1e-5 * power + 1e-7 * power.amax(1, keepdim=True)).all()
    if "noise" in sound:
        torch.testing.assert_close(made, expected, rtol=0, atol=1e-5)


def test_its_mel_bank_is_torchaudios_bit_for_bit(kaldi):
    expected, _ = kaldi.get_mel_banks(128, 512, SAMPLE_RATE, 20.0, 0.0, 100.0, -500.0, 1.0)
    mel_bank = KaldiFilterBank("povey").mel_bank
    assert torch.equal(mel_bank[:, :256], expected)
    assert not mel_bank[:, 256].any()


def test_it_is_kaldis_chain_of_formulas(rng):
    x = rng.normal(0, 0.3, 3000)
    frames = np.stack([x[start : start + 400] for start in range(0, 3000 - 399, 160)])
    frames -= frames.mean(axis=1, keepdims=True)
    frames -= 0.97 * np.c_[frames[:, 0], frames[:, :-1]]
    power = np.abs(np.fft.rfft(frames * np.hanning(400) ** 0.85, 512)) ** 2

    def mel(frequency):
        return 1127 * np.log(1 + frequency / 700)

    corners = np.linspace(mel(20), mel(8000), 130)
    bins = mel(np.arange(256) * SAMPLE_RATE / 512)  # not the last one, at half the sample rate
    bank = np.array([np.interp(bins, corners[i : i + 3], [0, 1, 0]) for i in range(128)])
    expected = np.log(np.maximum(bank @ power[:, :256].T, 2.0**-23))
    made = KaldiFilterBank("povey")(tensor(x))[0]
    np.testing.assert_allclose(made.numpy(), expected, atol=3e-4)  # the published bank is rounded to float32


def test_the_fourth_band_has_no_bin_of_the_spectrum(rng):
    made = KaldiFilterBank("hann")(tensor(rng.normal(size=1000)))
    assert (made[:, 3] == np.float32(np.log(2.0**-23))).all()
    assert (made[:, 4:] > 0).any()


@pytest.mark.parametrize(("n_samples", "n_frames"), [(400, 1), (559, 1), (560, 2), (160_000, 998)])
def test_frames_are_whole_and_ten_milliseconds_apart(n_samples, n_frames):
    assert KaldiFilterBank("povey")(torch.zeros(1, n_samples)).shape == (1, 128, n_frames)


def test_a_clip_has_the_same_spectrogram_in_any_batch(rng):
    bank = KaldiFilterBank("povey")
    waveforms = torch.from_numpy(rng.normal(0, 0.3, (3, 5000)).astype(np.float32))
    for waveform, spectrogram in zip(waveforms, bank(waveforms)):
        assert torch.equal(bank(waveform[None])[0], spectrogram)


def test_an_autocast_leaves_it_exact(rng):
    bank, waveform = KaldiFilterBank("povey"), tensor(rng.normal(0, 0.3, 5000))
    with torch.autocast("cpu", torch.bfloat16):
        inside = bank(waveform)
    assert torch.equal(inside, bank(waveform))


def test_checkpoints_hold_nothing_of_it():
    assert KaldiFilterBank("povey").state_dict() == {}


def test_a_tone_is_loudest_in_the_band_of_its_frequency():
    for band in (40, 90, 127):
        frequency = float(kaldi_band_to_hertz(band))
        made = KaldiFilterBank("hann")(tensor(np.sin(2 * np.pi * frequency * seconds(0.1))))
        assert made.mean(2).argmax() == band


def test_a_waveform_shorter_than_a_frame_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"at least 400 samples \(25 ms at 16 kHz\).*got 399\. Pad"):
        KaldiFilterBank("povey")(torch.zeros(1, 399))


def test_an_unknown_window_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="window must be one of 'povey', 'hann', got 'hamming'"):
        KaldiFilterBank("hamming")


def test_an_array_of_another_shape_or_dtype_is_refused():
    with pytest.raises(ValueError, match=r"\(n_clips, n_samples\) with at least one clip, got"):
        KaldiFilterBank("povey")(torch.zeros(1000))
    with pytest.raises(TypeError, match=r"must be torch\.float32, got torch\.float64"):
        KaldiFilterBank("povey")(torch.zeros(1, 1000, dtype=torch.float64))
