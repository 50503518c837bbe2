import subprocess
import sys
import warnings

import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import soundfile

from skaudio_ad import AudioLoader, LevelNormalizer, MelTransformer, MFCCTransformer
from skaudio_ad._lazy import LazySequence
from skaudio_ad.audio import AudioClips

SETTINGS = [
    {},
    {"mel_scale": "htk"},
    {"norm": None},
    {"mel_scale": "htk", "norm": None, "n_mels": 40},
    {"power": 1.0},
    {"win_length": 800},
    {"n_fft": 512, "hop_length": 160, "win_length": 401, "n_mels": 64},
    {"fmin": 50.0, "fmax": 7000.0},
    {"center": False},
    {"top_db": 10.0},
    {"pad_mode": "reflect"},
    {"pad_mode": "edge"},
    {"log_offset": 1e-4},
    {"sample_rate": 8000, "n_fft": 256, "hop_length": 64, "n_mels": 32},
]
each_setting = pytest.mark.parametrize("settings", SETTINGS, ids=str)


def librosa_mel(x, settings, fix=()):
    """librosa's mel spectrogram, no logarithm."""
    settings = dict(MelTransformer().get_params(), **settings)
    names = (
        "n_fft",
        "win_length",
        "hop_length",
        "n_mels",
        "fmin",
        "fmax",
        "norm",
        "power",
        "center",
        "pad_mode",
    )
    return librosa.feature.melspectrogram(
        y=x, sr=settings["sample_rate"], htk=settings["mel_scale"] == "htk", **{n: settings[n] for n in names}
    )


def librosa_db(x, settings):
    to_db = librosa.amplitude_to_db if settings.get("power", 2.0) == 1.0 else librosa.power_to_db
    return to_db(
        librosa_mel(x, settings),
        ref=1.0,
        amin=settings.get("log_offset", 1e-10),
        top_db=settings.get("top_db"),
    )


@pytest.fixture(scope="module")
def torchaudio():
    try:
        import torchaudio
    except Exception as error:  # a build for another torch raises OSError or RuntimeError
        pytest.skip(f"torchaudio cannot be imported: {error}")
    return torchaudio


def torchaudio_db(torchaudio, x, settings, exact_bank=False):
    import torch

    settings = dict(MelTransformer().get_params(), **settings)
    power = settings["power"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations within torchaudio
        mel = torchaudio.transforms.MelSpectrogram(
            settings["sample_rate"],
            f_min=settings["fmin"],
            f_max=settings["fmax"],
            **{
                name: settings[name]
                for name in (
                    "n_fft",
                    "win_length",
                    "hop_length",
                    "n_mels",
                    "norm",
                    "mel_scale",
                    "power",
                    "center",
                )
            },
            pad_mode={"edge": "replicate"}.get(settings["pad_mode"], settings["pad_mode"]),
        ).double()
        if exact_bank:
            bank = librosa.filters.mel(
                sr=settings["sample_rate"],
                htk=settings["mel_scale"] == "htk",
                **{name: settings[name] for name in ("n_fft", "n_mels", "fmin", "fmax", "norm")},
            )
            mel.mel_scale.fb = torch.from_numpy(bank.T).double()
        decibels = torchaudio.transforms.AmplitudeToDB(
            "power" if power == 2 else "magnitude", top_db=settings["top_db"]
        )
        decibels.amin = settings["log_offset"]
        return decibels(mel(torch.from_numpy(x).double())).numpy()


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(1).uniform(-0.5, 0.5, 40000).astype(np.float32)


# --- against librosa and torchaudio


@each_setting
def test_the_log_mel_of_noise_is_librosas(noise, settings):
    ours = MelTransformer(**settings).fit_transform([noise])[0]
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, librosa_db(noise, settings), rtol=0, atol=1e-4)


@each_setting
def test_the_log_mel_of_noise_is_torchaudios(torchaudio, noise, settings):
    ours = MelTransformer(**settings).fit_transform([noise])[0]
    # torchaudio computes the edges of its bands in float32, which alone is worth more than 1e-4 dB.
    np.testing.assert_allclose(ours, torchaudio_db(torchaudio, noise, settings), rtol=0, atol=1e-3)
    exact = torchaudio_db(torchaudio, noise, settings, exact_bank=True)
    np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-4)


@pytest.mark.real_data
@pytest.mark.parametrize("machine", ["fan", "pump", "slider", "valve"])
def test_the_log_mel_of_a_machine_is_librosas_and_torchaudios(data_home, machine, torchaudio):
    paths = sorted((data_home / "mimii").glob(f"*/{machine}/*/*/*.wav"))[::20]
    if not paths:
        pytest.skip("no MIMII recordings in SKAUDIO_AD_DATA")
    for path in paths:
        x = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
        ours = MelTransformer().fit_transform([path])[0]
        np.testing.assert_allclose(ours, librosa_db(x, {}), rtol=0, atol=1e-4)
        np.testing.assert_allclose(ours, torchaudio_db(torchaudio, x, {}), rtol=0, atol=1e-3)
        exact = torchaudio_db(torchaudio, x, {}, exact_bank=True)
        np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-4)


@pytest.mark.real_data
@pytest.mark.parametrize("pattern", ["hls_cmds/Sound/HS/*.wav", "esc10/*/*.ogg"])
def test_the_log_mel_of_a_wide_dynamic_range_is_librosas_where_float32_reaches(data_home, pattern):
    paths = sorted(data_home.glob(pattern))[::20]
    if not paths:
        pytest.skip(f"no {pattern} in SKAUDIO_AD_DATA")
    for path in paths:
        x, sample_rate = soundfile.read(path, dtype="float32")
        ours = MelTransformer(sample_rate).fit_transform([path])[0]
        theirs = librosa_db(x, {"sample_rate": sample_rate})
        below = theirs.max(axis=0) - theirs
        difference = np.abs(ours - theirs)
        # The transform is in float32: bands far below the loudest of their frame hold its rounding.
        assert difference[below <= 40].max() < 1e-4
        assert difference[below <= 80].max() < 5e-3


def test_a_clip_of_more_frames_than_are_transformed_at_a_time_is_librosas(noise):
    settings = {"n_fft": 64, "hop_length": 16, "n_mels": 8}  # 2501 frames
    ours = MelTransformer(**settings).fit_transform([noise])[0]
    np.testing.assert_allclose(ours, librosa_db(noise, settings), rtol=0, atol=1e-4)


def test_the_natural_logarithm_is_of_the_mel_plus_the_offset(noise):
    ours = MelTransformer(log="natural", log_offset=0.01).fit_transform([noise])[0]
    np.testing.assert_allclose(ours, np.log(librosa_mel(noise, {}) + 0.01), rtol=0, atol=2e-5)


def test_without_a_logarithm_the_mel_itself_is_returned(noise):
    ours = MelTransformer(log=None, power=1.5).fit_transform([noise])[0]
    np.testing.assert_allclose(ours, librosa_mel(noise, {"power": 1.5}), rtol=2e-5)


def test_decibels_of_any_power_are_of_the_amplitude(noise):
    ours = MelTransformer(power=1.5).fit_transform([noise])[0]
    np.testing.assert_allclose(
        ours, 20 / 1.5 * np.log10(librosa_mel(noise, {"power": 1.5})), rtol=0, atol=1e-4
    )


def test_louder_clips_have_higher_decibels(noise):
    quiet, loud = MelTransformer().fit_transform([0.1 * noise, noise])
    np.testing.assert_allclose(loud - quiet, 20, atol=1e-4)


def test_pre_emphasis_is_the_filter_of_its_formula(noise):
    filtered = scipy.signal.lfilter([1, -0.97], [1], noise.astype(np.float64)).astype(np.float32)
    ours = MelTransformer(pre_emphasis=0.97).fit_transform([noise])[0]
    np.testing.assert_allclose(ours, librosa_db(filtered, {}), rtol=0, atol=2e-4)


def test_pre_emphasis_is_torchaudios(torchaudio, noise):
    import torch

    filtered = torchaudio.functional.preemphasis(torch.from_numpy(noise), 0.9).numpy()
    ours = MelTransformer(pre_emphasis=0.9).fit_transform([noise])[0]
    np.testing.assert_allclose(ours, librosa_db(filtered, {}), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"n_mfcc": 13, "n_fft": 512, "hop_length": 160, "n_mels": 40},
        {"mel_scale": "htk", "fmin": 20.0, "fmax": 4000.0},
        {"win_length": 1000, "top_db": 40.0},
        {"top_db": None},
        {"sample_rate": 8000, "n_mfcc": 40, "n_mels": 40},
    ],
    ids=str,
)
def test_mfccs_of_noise_are_librosas(noise, settings):
    all_settings = dict(MFCCTransformer().get_params(), **settings)
    names = ("n_fft", "win_length", "hop_length", "n_mels", "fmin", "fmax")
    S = librosa.power_to_db(
        librosa.feature.melspectrogram(
            y=noise,
            sr=all_settings["sample_rate"],
            htk=all_settings["mel_scale"] == "htk",
            **{n: all_settings[n] for n in names},
        ),
        top_db=all_settings["top_db"],
    )
    expected = librosa.feature.mfcc(S=S, n_mfcc=all_settings["n_mfcc"])
    ours = MFCCTransformer(**settings).fit_transform([noise])[0]
    np.testing.assert_allclose(ours, expected, rtol=0, atol=5e-4)


def test_mfccs_with_default_parameters_are_librosas_default(noise):
    ours = MFCCTransformer().fit_transform([noise])[0]
    np.testing.assert_allclose(ours, librosa.feature.mfcc(y=noise, sr=16000), rtol=0, atol=5e-4)


def test_mfccs_are_the_cosine_transform_of_the_pre_emphasised_log_mel(noise):
    log_mel = MelTransformer(n_fft=2048, pre_emphasis=0.97, top_db=80.0).fit_transform([noise])[0]
    expected = scipy.fft.dct(log_mel, axis=0, type=2, norm="ortho")[:20]
    ours = MFCCTransformer(pre_emphasis=0.97).fit_transform([noise])[0]
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)


# --- one clip at a time


@pytest.mark.parametrize("transformer", [MelTransformer(top_db=40), MFCCTransformer()])
def test_a_clip_is_the_same_alone_in_a_batch_and_in_reverse_to_the_last_bit(rng, transformer):
    X = (10.0 ** rng.uniform(-3, 0, (7, 1)) * rng.standard_normal((7, 16000))).astype(np.float32)
    batch = transformer.fit_transform(X)
    backwards = transformer.fit_transform(X[::-1])[::-1]
    np.testing.assert_array_equal(backwards, batch)
    for clip, expected in zip(X, batch):
        np.testing.assert_array_equal(transformer.fit_transform([clip])[0], expected)


def test_clips_of_different_lengths_come_back_as_a_list_each_as_if_alone(rng):
    X = [rng.standard_normal(n).astype(np.float32) for n in (16000, 9000, 30000)]
    spectrograms = MelTransformer().fit_transform(X)
    assert isinstance(spectrograms, list)
    assert [s.shape for s in spectrograms] == [(128, 32), (128, 18), (128, 59)]
    for clip, spectrogram in zip(X, spectrograms):
        np.testing.assert_array_equal(spectrogram, MelTransformer().fit_transform([clip])[0])


@pytest.mark.parametrize("lazy", [False, True])
def test_paths_are_resampled_to_the_rate_of_the_transformer(write_wavs, lazy):
    paths = write_wavs([22050, 11025], sample_rate=22050)
    spectrograms = MelTransformer(8000, lazy=lazy).fit_transform(paths)
    expected = MelTransformer(8000).fit_transform(AudioLoader(8000).fit_transform(paths))
    assert [s.shape for s in spectrograms] == [(128, 1 + 8000 // 512), (128, 1 + 4000 // 512)]
    for got, wanted in zip(spectrograms, expected):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("transformer", [MelTransformer(lazy=True), MFCCTransformer(lazy=True)])
def test_lazy_features_are_the_eager_ones_and_decoded_when_asked_for(write_wavs, transformer):
    paths = [*write_wavs([16000, 8000]), "missing.wav"]
    lazy = transformer.fit_transform(paths)
    assert isinstance(lazy, LazySequence)
    assert len(lazy) == 3
    eager = transformer.set_params(lazy=False).transform(paths[:2])
    for got, wanted in zip(lazy[:2], eager):
        np.testing.assert_array_equal(got, wanted)
    with pytest.raises(ValueError, match=r"missing\.wav: no such file"):
        lazy[2]


# --- frames and times


@pytest.mark.parametrize("n_samples", [1024, 1535, 1536, 16000, 160000])
def test_the_number_of_frames_is_that_of_the_formula(n_samples):
    X = np.zeros((1, n_samples), dtype=np.float32)
    assert MelTransformer().fit_transform(X).shape == (1, 128, 1 + n_samples // 512)
    assert MelTransformer(center=False).fit_transform(X).shape == (1, 128, 1 + (n_samples - 1024) // 512)


def test_a_click_lies_in_the_frame_whose_time_is_its_own():
    x = np.zeros(16000)
    x[7680] = 1.0  # 0.48 s
    for transformer in (MelTransformer(hop_length=256), MelTransformer(hop_length=256, center=False)):
        loudest = transformer.fit_transform([x])[0].sum(axis=0).argmax()
        assert transformer.frames_to_seconds(loudest) == pytest.approx(0.48, abs=1e-9)


@pytest.mark.parametrize(
    ("transformer", "n_fft"),
    [
        (MelTransformer(), None),
        (MelTransformer(8000, n_fft=512, hop_length=160), None),
        (MelTransformer(n_fft=512, center=False), 512),
        (MFCCTransformer(22050, hop_length=441), None),
    ],
)
def test_the_time_of_a_frame_is_librosas(transformer, n_fft):
    frames = np.arange(10)
    expected = librosa.frames_to_time(
        frames, sr=transformer.sample_rate, hop_length=transformer.hop_length, n_fft=n_fft
    )
    np.testing.assert_allclose(transformer.frames_to_seconds(frames), expected, rtol=1e-12)


def test_the_time_between_two_frames_lies_between_theirs():
    assert MelTransformer().frames_to_seconds([0, 0.5, 1]).tolist() == [0, 0.016, 0.032]


# --- borders


def test_silence_is_finite_and_at_the_floor():
    np.testing.assert_allclose(MelTransformer().fit_transform(np.zeros((1, 4000))), -100, rtol=1e-6)
    natural = MelTransformer(log="natural").fit_transform(np.zeros((1, 4000)))
    np.testing.assert_allclose(natural, np.log(1e-10), rtol=1e-6)
    assert np.isfinite(MFCCTransformer().fit_transform(np.zeros((1, 4000)))).all()


@pytest.mark.parametrize("pad_mode", ["constant", "reflect", "edge"])
def test_a_centred_clip_may_be_shorter_than_the_window(pad_mode):
    spectrogram = MelTransformer(pad_mode=pad_mode).fit_transform([np.ones(10)])
    assert spectrogram.shape == (1, 128, 1)
    assert np.isfinite(spectrogram).all()


def test_a_clip_shorter_than_the_window_is_refused_by_name_if_not_centred(write_wavs):
    mel = MelTransformer(center=False)
    way = "fewer than one window of n_fft=1024; use a smaller n_fft, center=True, or AudioLoader with a duration"
    with pytest.raises(ValueError, match=f"^clip 1: has 1023 samples, {way}"):
        mel.fit_transform([np.zeros(1024), np.zeros(1023)])
    with pytest.raises(ValueError, match=f"clip_1.wav: has 100 samples, {way}"):
        mel.fit_transform(write_wavs([2000, 100]))


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"n_fft": 0}, ValueError, r"n_fft must lie in \[1, inf\], got 0"),
        ({"hop_length": 0}, ValueError, r"hop_length must lie in \[1, inf\], got 0"),
        ({"n_mels": 2.5}, TypeError, "n_mels must be an integer, got 2.5"),
        ({"win_length": 2000}, ValueError, r"win_length must lie in \[1, 1024\], got 2000"),
        ({"fmax": 9000}, ValueError, r"fmax must lie in \(0, 8000\.0\], got 9000"),
        ({"fmin": 500, "fmax": 500}, ValueError, r"fmin must lie in \[0, 500\), got 500"),
        ({"mel_scale": "bark"}, ValueError, "mel_scale must be one of 'slaney', 'htk', got 'bark'"),
        ({"norm": "l1"}, ValueError, "norm must be one of 'slaney', None, got 'l1'"),
        ({"power": 0}, ValueError, r"power must lie in \(0, inf\), got 0"),
        ({"log": "log10"}, ValueError, "log must be one of 'db', 'natural', None, got 'log10'"),
        ({"log_offset": 0}, ValueError, r"log_offset must lie in \(0, inf\], got 0"),
        ({"top_db": -1}, ValueError, r"top_db must lie in \[0, inf\], got -1"),
        ({"pre_emphasis": 2}, ValueError, r"pre_emphasis must lie in \[0, 1\], got 2"),
        (
            {"pad_mode": "wrap"},
            ValueError,
            "pad_mode must be one of 'constant', 'reflect', 'edge', got 'wrap'",
        ),
    ],
)
def test_a_parameter_out_of_range_is_refused_in_fit_by_name(settings, kind, message):
    with pytest.raises(kind, match=message):
        MelTransformer(**settings).fit([np.zeros(2000)])


def test_more_coefficients_than_bands_are_refused():
    with pytest.raises(ValueError, match=r"n_mfcc must lie in \[1, 20\], got 21"):
        MFCCTransformer(n_mfcc=21, n_mels=20).fit([np.zeros(2000)])


# --- memory

_PEAK = """
import re, sys
def peak_megabytes():
    # Not getrusage: it starts at the peak of the process that started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
"""


def grown_megabytes(code, *arguments):
    """How much `code` raises the peak memory of a process of its own: what it prints."""
    if sys.platform != "linux":
        pytest.skip("peak memory is read from /proc, which only Linux has")
    done = subprocess.run(
        [sys.executable, "-c", _PEAK + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_a_corpus_is_pooled_in_the_memory_of_a_few_clips(write_wavs):
    # 3000 clips of 1 s: 128 bands x 501 frames x 4 bytes each, 770 MB of spectrograms.
    grown = grown_megabytes(
        """
import numpy as np
from sklearn.pipeline import make_pipeline
from skaudio_ad import AudioLoader, ClipScaler, LevelNormalizer, MelTransformer, TemporalPooling
paths = sys.argv[1:] * 150
steps = make_pipeline(
    AudioLoader(8000), LevelNormalizer(), MelTransformer(8000, n_fft=64, hop_length=16, lazy=True), TemporalPooling()
)
import warnings
warnings.simplefilter("ignore")  # a filter bank as narrow as this has empty bands
steps.fit_transform(paths[:20])
before = peak_megabytes()
assert np.isfinite(steps.fit_transform(paths)).all()
print(peak_megabytes() - before)
""",
        *write_wavs([8000] * 20, sample_rate=8000),
    )
    assert grown < 60


def test_an_hour_long_clip_needs_little_more_than_its_samples(tmp_path, rng):
    path = tmp_path / "hour.wav"
    with soundfile.SoundFile(path, "w", 8000, 1, subtype="PCM_16") as file:
        for _ in range(60):
            file.write(rng.integers(-3000, 3000, 60 * 8000, dtype=np.int16))
    # 115 MB of samples, as much again padded, 29 MB of log-mel. All frames at once would be 230 MB, their
    # spectrum as much again.
    grown = grown_megabytes(
        """
from skaudio_ad import MelTransformer
mel = MelTransformer(8000)
mel.fit_transform([__import__("numpy").zeros(80000)])
before = peak_megabytes()
assert mel.fit_transform(sys.argv[1:]).shape == (1, 128, 56251)
print(peak_megabytes() - before)
""",
        path,
    )
    assert grown < 380


def spoilt_from_the_middle(clip):
    return np.where(np.arange(len(clip)) < len(clip) // 2, clip, np.nan)


def beyond_all_bounds(clip):
    return np.append(clip, np.inf)


def nothing(clip):
    return clip[:0]


def missing(clip):
    return np.full(len(clip), np.nan)


@pytest.mark.parametrize("step", [spoilt_from_the_middle, beyond_all_bounds, nothing])
@pytest.mark.parametrize(
    "transformer", [MelTransformer(), MelTransformer(lazy=True), MFCCTransformer()], ids=str
)
def test_what_an_earlier_step_spoilt_is_refused_by_name(tmp_path, transformer, step):
    soundfile.write(tmp_path / "hum.wav", np.sin(np.arange(4000)), 16000)
    # Levelled, half a clip of NaN would be one that could not be read.
    clips = LevelNormalizer().fit_transform(AudioClips([tmp_path / "hum.wav"] * 2, 16000).map(step))
    with pytest.raises(ValueError, match=rf"hum\.wav: is empty, or contains NaN .* after {step.__name__}"):
        list(transformer.fit_transform(clips))


def test_a_clip_that_an_earlier_step_made_a_missing_one_stays_missing():
    clips = AudioClips(np.zeros((2, 4000), dtype=np.float32), 16000).map(missing)
    assert np.isnan(MelTransformer().fit_transform(clips)).all()
