"""Pipelines of published systems, from files to scores."""

import numpy as np
import pytest
import soundfile
import torch

from skaudio_ad import AutoencoderDetector
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.presets import PRESETS, make_detector, make_preset
from skaudio_ad.presets._recipes import RECIPES
from skaudio_ad.training import make_stopping


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    return make_machine_sounds(
        8, 2, machine="valve", duration=1.0, output_dir=tmp_path_factory.mktemp("sounds"), random_state=0
    )


def linear_sizes(pipeline):
    return [
        (m.in_features, m.out_features)
        for m in pipeline[-1].module_.modules()
        if isinstance(m, torch.nn.Linear)
    ]


def test_the_dcase_baseline_reads_640_values_from_128_bands_at_16_khz(sounds):
    pipeline = make_preset("dcase_baseline", max_epochs=1, random_state=0).fit(sounds.paths[:8])
    assert list(pipeline.named_steps) == ["load", "features", "detector"]
    spectrogram = pipeline[:-1].transform(sounds.paths[:1])
    # A clip of 1 s has 1 + 16000 // 512 = 32 frames.
    assert spectrogram.shape == (1, 128, 32)
    assert (pipeline[-1].n_features_in_, pipeline[-1].window_length_) == (128, 5)
    assert linear_sizes(pipeline)[0] == (640, 128)
    assert pipeline[-1].score_frames(spectrogram).shape == (1, 28)
    mel = pipeline["features"]
    assert (mel.sample_rate, mel.n_fft, mel.hop_length, mel.power) == (16000, 1024, 512, 2)
    assert pipeline["load"].sample_rate == 16000


def test_the_autoencoder_preset_standardises_every_band_and_uses_the_defaults_of_the_detector(sounds):
    pipeline = make_preset("autoencoder", max_epochs=1, random_state=0).fit(sounds.paths[:8])
    assert list(pipeline.named_steps) == ["load", "features", "scale", "detector"]
    X = pipeline[:-1].transform(sounds.paths[:8])
    np.testing.assert_allclose(X.mean(axis=(0, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(X.std(axis=(0, 2)), 1, atol=1e-2)
    assert make_preset("autoencoder")["detector"].get_params() == AutoencoderDetector().get_params()


def test_the_dog_bark_preset_stops_by_the_published_criteria():
    detector = make_preset("dog_bark_vae")["detector"]
    criterion = make_stopping(detector.early_stopping, n_iter_no_change=1, tol=0)
    assert criterion.get_params() == {"alpha": 30, "k": 5, "progress": 100}


def test_the_heart_and_lung_preset_reads_330000_samples_at_22050_hz(tmp_path):
    rng = np.random.default_rng(0)
    paths = [str(tmp_path / f"{i}.wav") for i in range(6)]
    for i, path in enumerate(paths):
        soundfile.write(path, 0.1 * rng.normal(size=4000 * (14 + i)), 4000)  # durations from 14 to 19 s
    pipeline = make_preset("heart_lung", max_epochs=2, random_state=0).fit(paths)
    assert list(pipeline.named_steps) == ["load", "features", "pool", "scale", "detector"]
    clips = pipeline["load"].transform(paths)
    assert clips.sample_rate == 22050
    assert {len(clip) for clip in clips} == {330_000}
    assert not clips[0][-20000:].any()
    assert clips[5][-20000:].any()
    # There are 13 coefficients of 1 + 330000 // 512 = 645 frames.
    assert pipeline[-1].n_features_in_ == 13 * 645
    assert linear_sizes(pipeline) == [(8385, 128), (128, 32), (32, 128), (128, 8385)]
    features = pipeline[:-1].transform(paths)
    assert features.min() == pytest.approx(0, abs=1e-4)
    assert features.max() == pytest.approx(1, abs=1e-4)
    scores = pipeline.score_samples(paths)
    assert scores.shape == (6,)
    assert (scores < 0).all()


@pytest.mark.parametrize("name", [name for name in PRESETS if not name.startswith("embedding_")])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.filterwarnings("ignore:.* so the Ledoit-Wolf covariance is used")
def test_a_recording_gets_the_same_score_alone_and_in_a_batch(name, lazy, sounds):
    settings = {} if name == "autoencoder" or name.startswith("dcase_") else {"duration": 1.0}
    # The published networks take several times as long. Networks of other sizes score by the same code.
    settings |= {"dog_bark_vae": {"filters": (4, 2), "strides": 2}}.get(name, {})
    settings |= dict.fromkeys(["hidden_size"], 16) if name in ("next_frame_lstm", "window_gru") else {}
    pipeline = make_preset(name, lazy=lazy, max_epochs=2, random_state=0, **settings).fit(sounds.paths[:8])
    scores = pipeline.score_samples(sounds.paths)
    assert np.isfinite(scores).all()
    assert set(pipeline.predict(sounds.paths)) <= {1, -1}
    alone = [pipeline.score_samples([path])[0] for path in sounds.paths]
    np.testing.assert_allclose(alone, scores, rtol=1e-6)


def test_lazy_features_change_no_score(sounds):
    scores = [
        make_preset("dcase_baseline", lazy=lazy, max_epochs=1, random_state=0)
        .fit(sounds.paths[:8])
        .score_samples(sounds.paths)
        for lazy in (False, True)
    ]
    np.testing.assert_array_equal(*scores)


def test_the_gain_of_a_recording_does_not_change_its_score_with_a_level(sounds):
    X = np.stack([soundfile.read(path)[0] for path in sounds.paths])
    quiet = 0.1 * X
    for level, same in (("rms", True), ("peak", True), (None, False)):
        pipeline = make_preset("dcase_baseline", level=level, max_epochs=1, random_state=0).fit(X[:8])
        assert ("level" in pipeline.named_steps) == same
        assert np.allclose(pipeline.score_samples(quiet), pipeline.score_samples(X), rtol=1e-3) == same


def test_a_preset_that_skips_broken_files_trains_without_them(sounds, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    pipeline = make_preset("dcase_baseline", on_error="skip", max_epochs=1, random_state=0)
    with pytest.warns(UserWarning, match=r"left out .*broken\.wav|trained without 1 of 8"):
        pipeline.fit([*sounds.paths[:7], str(broken)])
    assert pipeline[-1].n_samples_fit_ == 7
    with pytest.raises(ValueError, match=r"broken\.wav"):
        make_preset("dcase_baseline", max_epochs=1).fit([*sounds.paths[:7], str(broken)])


def test_parameters_of_the_detector_and_a_duration_are_passed_on():
    pipeline = make_preset("dcase_baseline", duration=2.5, max_epochs=7, bottleneck_size=4, random_state=3)
    detector = pipeline[-1]
    assert (detector.max_epochs, detector.bottleneck_size, detector.random_state) == (7, 4, 3)
    assert (detector.batch_size, detector.hidden_sizes) == (256, (128,) * 4)
    assert pipeline["load"].duration == 2.5
    assert make_preset("dcase_baseline")["load"].duration is None
    assert make_preset("heart_lung", duration=2.5)["load"].duration == 2.5


def test_the_dog_bark_preset_scales_every_spectrogram_of_3_seconds_by_itself(sounds):
    pipeline = make_preset("dog_bark_vae", filters=(4, 2), strides=2, max_epochs=1, random_state=0)
    pipeline.fit(sounds.paths)
    assert list(pipeline.named_steps) == ["load", "features", "scale", "detector"]
    pictures = pipeline[:-1].transform(sounds.paths)
    # A clip of 3 s has 1 + 3 * 22050 // 512 = 130 frames.
    assert pictures.shape == (10, 128, 130)
    np.testing.assert_allclose(pictures.min(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(pictures.max(axis=(1, 2)), 1, atol=1e-6)
    published = make_preset("dog_bark_vae")["detector"]
    assert (published.filters, published.latent_size) == ((512, 256, 128, 64, 32), 128)
    assert (published.max_epochs, published.batch_size, published.learning_rate) == (50, 64, 1e-2)


@pytest.mark.parametrize(
    ("name", "n_windows", "batch_size"), [("next_frame_lstm", 303, 32), ("window_gru", 304, 64)]
)
def test_the_recurrent_presets_use_10_frames_of_128_standardised_bands(name, n_windows, batch_size):
    waveforms = np.random.default_rng(0).normal(size=(3, 160_000)).astype(np.float32)
    pipeline = make_preset(name, hidden_size=4, max_epochs=1, random_state=0).fit(waveforms)
    X = pipeline[:-1].transform(waveforms)
    assert X.shape == (3, 128, 313)
    np.testing.assert_allclose(X.mean(axis=(0, 2)), 0, atol=1e-4)
    assert pipeline[-1].score_frames(X).shape == (3, n_windows)
    published = make_preset(name)["detector"]
    assert (published.n_layers, published.hidden_size) == (2, 256)
    assert (published.max_epochs, published.batch_size, published.learning_rate) == (10, batch_size, 1e-3)


@pytest.mark.parametrize(
    "name", [name for name in PRESETS if name.startswith("embedding_") and name not in RECIPES]
)
def test_the_presets_of_embeddings_are_detectors_with_this_head(name):
    pipeline = make_preset(name, duration=2.0, false_alarms=0.1, random_state=0)
    expected = make_detector(
        head=name.removeprefix("embedding_"), duration=2.0, false_alarms=0.1, random_state=0
    )
    assert repr(pipeline) == repr(expected)
    assert "level" not in make_preset(name, level=None).named_steps


def test_the_error_for_an_unknown_preset_lists_the_known_presets():
    with pytest.raises(
        ValueError, match=r"name must be one of 'embedding_nearest', .*'autoencoder', .*got 'mimii'"
    ):
        make_preset("mimii")
    with pytest.raises(ValueError, match="method must be one of 'rms', 'peak', got 'loud'"):
        make_preset("dcase_baseline", level="loud").fit(np.ones((4, 16000)))
