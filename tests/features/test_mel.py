import warnings

import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import soundfile

from skaudio_ad import MelTransformer, MFCCTransformer

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
    """Compute a mel spectrogram without a logarithm, with librosa."""
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
        warnings.simplefilter("ignore")  # torchaudio uses deprecated functions
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


@each_setting
def test_the_log_mel_of_noise_equals_librosa(noise, settings):
    ours = MelTransformer(**settings).fit_transform([noise])[0]
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, librosa_db(noise, settings), rtol=0, atol=1e-4)


@each_setting
def test_the_log_mel_of_noise_equals_torchaudio(torchaudio, noise, settings):
    ours = MelTransformer(**settings).fit_transform([noise])[0]
    # torchaudio computes the edges of its bands in float32, which causes an error above 1e-4 dB.
    np.testing.assert_allclose(ours, torchaudio_db(torchaudio, noise, settings), rtol=0, atol=1e-3)
    exact = torchaudio_db(torchaudio, noise, settings, exact_bank=True)
    np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-4)


@pytest.mark.real_data
@pytest.mark.parametrize("machine", ["fan", "pump", "slider", "valve"])
def test_the_log_mel_of_a_machine_equals_librosa_and_torchaudio(data_home, machine, torchaudio):
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
def test_the_log_mel_of_a_wide_dynamic_range_equals_librosa_within_the_precision_of_float32(
    data_home, pattern
):
    paths = sorted(data_home.glob(pattern))[::20]
    if not paths:
        pytest.skip(f"no {pattern} in SKAUDIO_AD_DATA")
    for path in paths:
        x, sample_rate = soundfile.read(path, dtype="float32")
        ours = MelTransformer(sample_rate).fit_transform([path])[0]
        theirs = librosa_db(x, {"sample_rate": sample_rate})
        below = theirs.max(axis=0) - theirs
        difference = np.abs(ours - theirs)
        # The transform is in float32, so bands far below the loudest band of their frame hold rounding errors.
        assert difference[below <= 40].max() < 1e-4
        assert difference[below <= 80].max() < 5e-3


def test_a_clip_of_more_than_one_block_of_frames_equals_librosa(noise):
    settings = {"n_fft": 64, "hop_length": 16, "n_mels": 8}  # 2501 frames
    ours = MelTransformer(**settings).fit_transform([noise])[0]
    np.testing.assert_allclose(ours, librosa_db(noise, settings), rtol=0, atol=1e-4)


def test_the_natural_logarithm_is_taken_of_the_mel_plus_the_offset(noise):
    ours = MelTransformer(log="natural", log_offset=0.01).fit_transform([noise])[0]
    np.testing.assert_allclose(ours, np.log(librosa_mel(noise, {}) + 0.01), rtol=0, atol=2e-5)


def test_without_a_logarithm_the_mel_itself_is_returned(noise):
    ours = MelTransformer(log=None, power=1.5).fit_transform([noise])[0]
    np.testing.assert_allclose(ours, librosa_mel(noise, {"power": 1.5}), rtol=2e-5)


def test_decibels_refer_to_the_amplitude_for_any_power(noise):
    ours = MelTransformer(power=1.5).fit_transform([noise])[0]
    np.testing.assert_allclose(
        ours, 20 / 1.5 * np.log10(librosa_mel(noise, {"power": 1.5})), rtol=0, atol=1e-4
    )


def test_louder_clips_have_higher_decibels(noise):
    quiet, loud = MelTransformer().fit_transform([0.1 * noise, noise])
    np.testing.assert_allclose(loud - quiet, 20, atol=1e-4)


def test_pre_emphasis_equals_the_filter_of_its_formula(noise):
    filtered = scipy.signal.lfilter([1, -0.97], [1], noise.astype(np.float64)).astype(np.float32)
    ours = MelTransformer(pre_emphasis=0.97).fit_transform([noise])[0]
    np.testing.assert_allclose(ours, librosa_db(filtered, {}), rtol=0, atol=2e-4)


def test_pre_emphasis_equals_torchaudio(torchaudio, noise):
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
def test_mfccs_of_noise_equal_librosa(noise, settings):
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


def test_mfccs_with_default_parameters_equal_the_default_of_librosa(noise):
    ours = MFCCTransformer().fit_transform([noise])[0]
    np.testing.assert_allclose(ours, librosa.feature.mfcc(y=noise, sr=16000), rtol=0, atol=5e-4)


def test_mfccs_are_the_cosine_transform_of_the_pre_emphasised_log_mel(noise):
    log_mel = MelTransformer(n_fft=2048, pre_emphasis=0.97, top_db=80.0).fit_transform([noise])[0]
    expected = scipy.fft.dct(log_mel, axis=0, type=2, norm="ortho")[:20]
    ours = MFCCTransformer(pre_emphasis=0.97).fit_transform([noise])[0]
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)
