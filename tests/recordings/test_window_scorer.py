"""Score windows of sound as a detector scores clips."""

import numpy as np
import pytest
import soundfile
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

from skaudio_ad import (
    AudioLoader,
    BandMemoryDetector,
    FleetDetector,
    LevelNormalizer,
    MelTransformer,
    NearestNeighborsDetector,
    TemporalPooling,
    ThresholdedDetector,
)
from skaudio_ad.embeddings import WeightsError
from skaudio_ad.recordings._window_scorer import WindowScorer

RATE = 8000


def noise(seed, duration=0.5, scale=0.1):
    return np.random.default_rng(seed).normal(scale=scale, size=round(duration * RATE)).astype(np.float32)


def pipeline(detector=None, **loading):
    mel = MelTransformer(sample_rate=RATE, n_fft=256, hop_length=128, n_mels=8)
    detector = (
        ThresholdedDetector(NearestNeighborsDetector(), random_state=0) if detector is None else detector
    )
    return make_pipeline(AudioLoader(RATE, **loading), mel, TemporalPooling(), detector)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("normal")
    for seed in range(24):
        soundfile.write(folder / f"{seed:02}.wav", noise(seed), RATE, subtype="FLOAT")
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def trained(paths):
    return pipeline().fit(paths)


def test_a_window_gets_the_score_and_the_p_value_of_the_same_clip(trained, paths):
    windows = [noise(40), noise(41, scale=0.2), noise(3)]
    found = WindowScorer(trained).score(windows)
    np.testing.assert_allclose([row.score for row in found], trained.score_samples(windows), rtol=1e-12)
    features = trained[:-1].transform(windows)
    np.testing.assert_allclose([row.p_value for row in found], trained[-1].p_values(features))
    np.testing.assert_array_equal(np.stack([row.features for row in found]), features)
    assert found[0].features.dtype == np.float32
    assert {row.error for row in found} == {""}


def test_the_window_is_the_duration_of_the_training_clips_and_the_hop_is_half_of_it(trained):
    scorer = WindowScorer(trained)
    assert (scorer.window, scorer.hop, scorer.sample_rate, scorer.channel) == (0.5, 0.25, RATE, "mix")
    assert scorer.threshold == trained[-1].threshold_
    assert WindowScorer(trained, hop=0.1).hop == 0.1


def test_a_window_that_holds_nan_has_an_error_and_the_others_are_scored(trained):
    broken = noise(50)
    broken[100] = np.nan
    found = WindowScorer(trained).score([noise(40), broken, noise(41)])
    assert np.isnan(found[1].score)
    assert "NaN" in found[1].error
    assert found[1].features is None
    np.testing.assert_allclose(
        [found[0].score, found[2].score], trained.score_samples([noise(40), noise(41)])
    )
    assert WindowScorer(trained).score([]) == []


class _Picky(TransformerMixin, BaseEstimator):
    """Step that cannot use loud clips."""

    def __init__(self, error=ValueError):
        self.error = error

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        rows = np.stack(list(X))
        if (np.abs(rows) > 1).any():
            raise self.error("is too loud.")
        return rows[:, :4]


def test_a_step_that_fails_for_one_window_leaves_the_others(paths):
    detector = make_pipeline(AudioLoader(RATE), _Picky(), NearestNeighborsDetector()).fit(paths)
    found = WindowScorer(detector).score([noise(1), 100 * noise(2), noise(3)])
    assert [row.error for row in found] == ["", "is too loud.", ""]
    assert np.isfinite([found[0].score, found[2].score]).all()


def test_missing_weights_are_an_error_of_all_windows(paths):
    detector = make_pipeline(AudioLoader(RATE), _Picky(WeightsError), NearestNeighborsDetector()).fit(paths)
    with pytest.raises(WeightsError, match="too loud"):
        WindowScorer(detector).score([noise(1), 100 * noise(2)])


def test_a_detector_without_calibration_has_no_p_values(paths):
    detector = pipeline(NearestNeighborsDetector(contamination=0.5)).fit(paths)
    detector[-1].__dict__.pop("held_out_scores_")
    (row,) = WindowScorer(detector).score([noise(40)])
    assert np.isnan(row.p_value)
    assert np.isfinite(row.score)


@pytest.mark.parametrize(
    ("window", "match"), [(0.4, "lasts 0.4 s.*clips of 0.5 s"), (0.6, "fit --window 0.6")]
)
def test_a_window_of_another_duration_than_the_training_is_refused(trained, window, match):
    with pytest.raises(ValueError, match=match):
        WindowScorer(trained, window=window)
    assert WindowScorer(trained, window=0.5 * (1.04 if window > 0.5 else 1 / 1.04)).window != 0.5


def test_training_clips_of_several_durations_need_a_window(paths, tmp_path):
    soundfile.write(tmp_path / "long.wav", noise(30, 2.0), RATE)
    detector = pipeline().fit([*paths, str(tmp_path / "long.wav")])
    with pytest.raises(ValueError, match=r"last from 0.5 s to 2 s.*pass window="):
        WindowScorer(detector)
    assert WindowScorer(detector, window=1.0).window == 1.0


def test_a_detector_without_known_durations_needs_a_window(trained):
    in_memory = pipeline().fit([noise(seed) for seed in range(6)])
    with pytest.raises(ValueError, match="not known: pass window="):
        WindowScorer(in_memory)
    assert WindowScorer(in_memory, window=0.7).window == 0.7


def test_the_duration_of_the_loader_is_the_window_and_its_offset_does_not_count(paths):
    detector = pipeline(duration=0.25, offset=0.2).fit(paths)
    scorer = WindowScorer(detector)
    assert scorer.window == 0.25
    (row,) = scorer.score([noise(40, 0.25)])
    features = detector[1:-1].transform([noise(40, 0.25)])
    assert row.score == pytest.approx(detector[-1].score_samples(features)[0])


def test_a_hop_beyond_the_window_and_other_estimators_are_refused(trained, paths):
    with pytest.raises(ValueError, match="hop must not exceed the window"):
        WindowScorer(trained, hop=0.6)
    with pytest.raises(ValueError, match="begins with AudioLoader"):
        WindowScorer(NearestNeighborsDetector())
    fleet = pipeline(FleetDetector(NearestNeighborsDetector()))
    fleet.fit(paths, fleetdetector__machines=["a", "b"] * 12)
    with pytest.raises(ValueError, match="detector of the machine"):
        WindowScorer(fleet)
    with pytest.raises(ValueError, match="must have 4000 samples"):
        WindowScorer(trained).score([noise(0, 0.4)])


def test_two_channels_are_scored_as_the_pipeline_scores_them(tmp_path):
    for seed in range(4):
        soundfile.write(tmp_path / f"{seed}.wav", np.stack([noise(seed), noise(seed + 9)], axis=1), RATE)
    paths = sorted(map(str, tmp_path.iterdir()))
    steps = AudioLoader(RATE, channel="near-far"), LevelNormalizer(), _Mean(), NearestNeighborsDetector()
    detector = make_pipeline(*steps).fit(paths)
    scorer = WindowScorer(detector)
    pair = np.stack([noise(50), noise(60)])
    (row,) = scorer.score([pair])
    assert row.score == pytest.approx(detector.score_samples([pair])[0])
    assert scorer.channel == "near-far"


class _Mean(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.stack([np.abs(clip).mean(axis=1) for clip in X])


class _TwoBands(TransformerMixin, BaseEstimator):
    """Grid of two bands, (1 + level, 1), that change with two halves of the clip."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        halves = np.stack([np.abs(np.asarray(clip).reshape(2, -1)).mean(axis=1) for clip in X])
        return np.stack([halves, np.ones_like(halves)], axis=1)[..., np.newaxis]

    def band_edges(self):
        return np.array([[0.0, 500.0], [500.0, 4000.0]])


def test_the_band_that_differs_most_from_its_usual_distance_is_named(paths):
    detector = make_pipeline(AudioLoader(RATE), _TwoBands(), BandMemoryDetector()).fit(paths)
    low, high = noise(40), noise(41)
    low[:2000] *= 20
    high[2000:] *= 20
    found = WindowScorer(detector).score([low, high])
    assert [(row.low_hz, row.high_hz) for row in found] == [(0, 500), (500, 4000)]
    distances = -detector[-1].score_bands(_TwoBands().transform([low]))[0]
    assert distances[0] > distances[1]


def test_the_last_step_is_replaced(trained, paths):
    scorer = WindowScorer(trained)
    window = noise(60, scale=0.3)
    other = ThresholdedDetector(NearestNeighborsDetector(), random_state=0)
    other.fit(np.concatenate([trained[:-1].transform(paths), trained[:-1].transform([window])]))
    before = scorer.score([window])[0].score
    scorer.update_detector(other)
    assert scorer.score([window])[0].score > before
    assert scorer.threshold == other.threshold_
