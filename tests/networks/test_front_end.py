"""The front end of the pretrained networks against hear21passt's, and against the formulas in NumPy."""

import warnings

import numpy as np
import pytest
import torch

from skaudio_ad.audio import AudioLoader
from skaudio_ad.networks import AudioSetFrontEnd
from skaudio_ad.networks._front_end import in_parts

SAMPLE_RATE = 32_000


@pytest.fixture(scope="module")
def reference():
    """hear21passt's front end with the settings of its PaSST, in evaluation mode."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torchaudio, on its end of life
        preprocess = pytest.importorskip("hear21passt.models.preprocess")
    front_end = preprocess.AugmentMelSTFT(
        n_mels=128, sr=32000, win_length=800, hopsize=320, n_fft=1024, freqm=48, timem=192,
        fmin=0.0, fmax=15_000.0, fmin_aug_range=10, fmax_aug_range=2000,
    )  # fmt: skip
    return front_end.eval()


def spectrograms_of(front_end, waveforms):
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hear21passt uses old names of autocast and of stft
        return front_end(waveforms)


def seconds(n):
    return np.arange(int(n * SAMPLE_RATE)) / SAMPLE_RATE


def sounds():
    rng = np.random.default_rng(0)
    return {
        "noise": rng.normal(0, 0.2, SAMPLE_RATE),
        "quiet noise": rng.normal(0, 1e-4, SAMPLE_RATE),
        "silence": np.zeros(SAMPLE_RATE),
        "clipping": np.clip(3 * np.sin(2 * np.pi * 437.7 * seconds(1)), -1, 1),
        "tone between two bands": np.sin(2 * np.pi * 31.25 * seconds(1)),
        "click": (np.arange(SAMPLE_RATE) == 5000).astype(float),
        "offset": np.ones(SAMPLE_RATE),
        "shortest": rng.normal(0, 0.2, AudioSetFrontEnd.min_samples),
    }


def tensor(waveform):
    return torch.from_numpy(np.asarray(waveform, dtype=np.float32))[None]


@pytest.mark.parametrize("sound", sounds())
def test_it_equals_the_authors_front_end(reference, sound):
    waveform = tensor(sounds()[sound])
    expected = spectrograms_of(reference, waveform)
    torch.testing.assert_close(AudioSetFrontEnd()(waveform), expected, rtol=0, atol=1e-4)


@pytest.mark.real_data
def test_it_equals_the_authors_front_end_on_recordings(reference, data_home):
    paths = sorted(data_home.glob("esc10/*/*.ogg"))[::50]
    assert len(paths) == 8
    front_end = AudioSetFrontEnd()
    for clip in AudioLoader(SAMPLE_RATE).fit_transform([str(path) for path in paths]):
        waveform = tensor(clip)
        expected = spectrograms_of(reference, waveform)
        torch.testing.assert_close(front_end(waveform), expected, rtol=0, atol=1e-4)


def test_it_is_the_published_chain_of_formulas(rng):
    x = rng.normal(0, 0.3, 3000)
    emphasised = np.pad(x[1:] - 0.97 * x[:-1], 512, mode="reflect")
    window = np.pad(np.hanning(800), 112)
    frames = np.stack([emphasised[start : start + 1024] * window for start in range(0, 3000, 320)])
    power = np.abs(np.fft.rfft(frames)) ** 2

    def mel(frequency):
        return 1127 * np.log(1 + frequency / 700)

    corners = np.linspace(mel(0), mel(15_000), 130)
    bins = mel(np.arange(512) * 32_000 / 1024)  # not the last one, at half the sample rate
    bank = np.array([np.interp(bins, corners[i : i + 3], [0, 1, 0]) for i in range(128)])
    expected = (np.log(bank @ power[:, :512].T + 1e-5) + 4.5) / 5
    made = AudioSetFrontEnd()(tensor(x))[0]
    np.testing.assert_allclose(made.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("n_samples", "n_frames"), [(514, 2), (640, 2), (641, 3), (160_000, 500), (320_000, 1000)]
)
def test_it_makes_a_frame_every_ten_milliseconds(n_samples, n_frames):
    assert AudioSetFrontEnd()(torch.zeros(1, n_samples)).shape == (1, 128, n_frames)


def test_a_clip_has_the_same_spectrogram_in_any_batch(rng):
    front_end = AudioSetFrontEnd()
    waveforms = torch.from_numpy(rng.normal(0, 0.3, (3, 5000)).astype(np.float32))
    together = front_end(waveforms)
    for waveform, spectrogram in zip(waveforms, together):
        assert torch.equal(front_end(waveform[None])[0], spectrogram)


def test_nothing_is_random_in_training_mode_either(rng):
    waveform = tensor(rng.normal(0, 0.3, 5000))
    before = torch.random.get_rng_state()
    assert torch.equal(AudioSetFrontEnd().train()(waveform), AudioSetFrontEnd().eval()(waveform))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_autocast_leaves_it_exact(rng):
    front_end, waveform = AudioSetFrontEnd(), tensor(rng.normal(0, 0.3, 5000))
    with torch.autocast("cpu", torch.bfloat16):
        inside = front_end(waveform)
    assert torch.equal(inside, front_end(waveform))


def test_checkpoints_hold_nothing_of_it():
    assert AudioSetFrontEnd().state_dict() == {}


def test_a_waveform_too_short_to_reflect_is_named_with_the_way_out():
    with pytest.raises(ValueError, match=r"at least 514 samples \(16 ms at 32 kHz\).*got 513\. Pad"):
        AudioSetFrontEnd()(torch.zeros(1, 513))


@pytest.mark.parametrize("shape", [(1000,), (1, 1, 1000), (0, 1000)])
def test_waveforms_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(n_clips, n_samples\) with at least one clip, got"):
        AudioSetFrontEnd()(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.float64, torch.int16])
def test_waveforms_of_another_dtype_are_refused(dtype):
    with pytest.raises(TypeError, match=rf"must be torch\.float32, got {dtype}"):
        AudioSetFrontEnd()(torch.zeros(1, 1000, dtype=dtype))


@pytest.mark.parametrize("n_samples", [514, 40_000, 70_001])
def test_a_batch_as_on_a_gpu_equals_one_clip_at_a_time(n_samples):
    waveforms = torch.randn(5, n_samples, generator=torch.Generator().manual_seed(0)) * 0.1
    front_end = AudioSetFrontEnd()
    alone = front_end(waveforms)
    for n_clips, n_frames in ((2, 50), (5, 10_000)):
        together = torch.cat([front_end._log_mel(some, n_frames) for some in waveforms.split(n_clips)])
        torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


def test_a_clip_alone_has_exactly_the_spectrogram_that_it_has_in_a_batch():
    waveforms = torch.randn(3, 50_000, generator=torch.Generator().manual_seed(1))
    front_end = AudioSetFrontEnd()
    assert torch.equal(front_end(waveforms), torch.cat([front_end(waveform[None]) for waveform in waveforms]))


def test_a_gpu_transforms_at_most_32000_frames_at_a_time():
    parts = []

    def transform(some, n_frames):
        parts.append((len(some), n_frames))
        return some.new_empty(len(some), 64, 1000)

    waveforms = torch.empty(50, 160_000, device="meta")
    assert in_parts(waveforms, 160, transform).shape == (50, 64, 1000)
    assert parts == [(32, 32_000), (18, 32_000)]  # 32 clips of 1000 frames, and the others
