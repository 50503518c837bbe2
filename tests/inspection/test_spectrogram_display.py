"""The picture is the output of the transformer, with its times and frequencies."""

import numpy as np
import pytest
import soundfile
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioLoader, Augmenter, ClipScaler, MelTransformer, MFCCTransformer, TemporalPooling
from skaudio_ad.audio import AudioReadError
from skaudio_ad.inspection import SpectrogramDisplay

from .artists import axes

RATE = 16000
TONE = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)


def image(display):
    """The picture, without the colour bar."""
    (mesh,) = [c for c in display.ax_.collections if c.colorbar is not None]
    return mesh


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("spectrogram") / "tone $1$.wav"
    soundfile.write(path, TONE, RATE)
    return path


def test_a_tone_is_brightest_at_its_frequency_and_colours_span_80_db():
    mel = MelTransformer()
    display = SpectrogramDisplay.from_estimator(mel, TONE, ax=axes())
    mesh = image(display)
    levels = mel.transform([TONE])[0]
    np.testing.assert_array_equal(mesh.get_array(), levels)
    assert mesh.get_clim() == pytest.approx((max(levels.min(), levels.max() - 80), levels.max()))
    brightest = np.interp(levels[:, 16].argmax(), np.arange(128), display.band_centers)
    assert brightest == pytest.approx(1000, abs=20)
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == [
        "200",
        "500",
        "1000",
        "2000",
        "5000",
    ]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("time (s)", "frequency (Hz)")
    assert mesh.colorbar.ax.get_ylabel() == "level (dB)"
    np.testing.assert_allclose(display.frame_times, np.arange(32) * 512 / RATE)


def test_the_user_may_choose_the_colours():
    display = SpectrogramDisplay(np.eye(3)).plot(ax=axes(), vmin=-1, vmax=2, cmap="viridis")
    assert image(display).get_clim() == (-1, 2)
    assert image(display).get_cmap().name == "viridis"
    assert display.ax_.get_xlabel() == "frame"


def test_a_file_is_read_at_the_rate_of_the_transformer_or_by_the_loader(recording):
    alone = SpectrogramDisplay.from_estimator(MelTransformer(8000, n_mels=20), recording, ax=axes())
    assert alone.features.shape == (20, 16)
    scaler = make_pipeline(AudioLoader(RATE), MelTransformer(n_mels=20), ClipScaler()).fit([recording])
    scaled = SpectrogramDisplay.from_estimator(scaler, recording, ax=axes())
    np.testing.assert_array_equal(scaled.features, scaler.transform([recording])[0])
    assert image(scaled).colorbar.ax.get_ylabel() == "feature value"
    assert scaled.band_centers is not None
    assert scaled.ax_.get_title() == r"tone \$1\$.wav"


def test_cepstral_coefficients_are_components():
    display = SpectrogramDisplay.from_estimator(MFCCTransformer(), TONE, ax=axes())
    assert display.ax_.get_ylabel() == "component"
    assert image(display).colorbar.ax.get_ylabel() == "feature value"


def test_an_augmented_clip_is_drawn_as_any_other_clip():
    (moved,) = Augmenter("time_shift", random_state=0).fit_transform(TONE[None])
    display = SpectrogramDisplay.from_estimator(MelTransformer(), moved, ax=axes())
    np.testing.assert_array_equal(display.features, MelTransformer().transform([moved])[0])


def test_what_cannot_be_drawn_raises_an_error_that_says_why(recording, tmp_path):
    pooled = make_pipeline(MelTransformer(), TemporalPooling()).fit(TONE[None])
    with pytest.raises(ValueError, match=r"without a time axis cannot be drawn.*remove the step"):
        SpectrogramDisplay.from_estimator(pooled, TONE)
    with pytest.raises(ValueError, match="one clip of one channel, got "):
        SpectrogramDisplay.from_estimator(MelTransformer(), np.zeros((2, RATE)))
    with pytest.raises(AudioReadError, match=r"missing\.wav"):
        SpectrogramDisplay.from_estimator(MelTransformer(), tmp_path / "missing.wav")
    with pytest.raises(ValueError, match="NaN or infinity"):
        SpectrogramDisplay(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match=r"band_centers must have shape \(2,\), got \(3,\)"):
        SpectrogramDisplay(np.zeros((2, 2)), band_centers=[1, 2, 3])
