"""The arrays of the pictures are the features, the output and the error of the detector."""

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator, OutlierMixin, TransformerMixin
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioLoader, AutoencoderDetector, ClipScaler, MelTransformer, TemporalPooling
from skaudio_ad.inspection import ReconstructionDisplay
from skaudio_ad.recordings import score_recordings

from .artists import legend_texts, line

RATE = 16000


class Predictor(OutlierMixin, BaseEstimator):
    """Stand-in for a detector that predicts every frame except the first two as a copy of the frame before."""

    offset_ = -1e9

    def fit(self, X, y=None):
        return self

    def predict_frames(self, X):
        predictions = np.roll(np.asarray(X), 1, axis=-1)
        predictions[..., :2] = np.nan
        return predictions

    def score_frames(self, X):
        return -np.square(self.predict_frames(X) - X).mean(axis=1)[:, 2:]

    def window_centers(self, n_windows):
        return np.arange(n_windows) + 2.0

    def score_samples(self, X):
        return self.score_frames(X).mean(axis=1)

    def decision_function(self, X):
        return self.score_samples(X) - self.offset_

    def __sklearn_is_fitted__(self):
        return True


class Embedding(TransformerMixin, BaseEstimator):
    """Stand-in for a network that computes an embedding of four components every 0.1 s."""

    n_edge_frames = 0

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.stack([np.reshape(clip[:8000], (5, 4, 400)).mean(axis=2).T for clip in X])

    def frames_to_seconds(self, frames):
        return 0.1 * np.asarray(frames) + 0.05

    def __sklearn_is_fitted__(self):
        return True


class ScoreOnly(Predictor):
    predict_frames = property()  # makes hasattr return False


def images(display):
    """Return the arrays of the three pictures and the labels of the colour bars."""
    drawn = [ax.collections[0] for ax in display.axes_[:3]]
    labels = [image.colorbar.ax.get_ylabel() if image.colorbar else None for image in drawn]
    return [image.get_array() for image in drawn], [image.get_clim() for image in drawn], labels


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("reconstruction"), np.random.default_rng(0)
    paths = [str(folder / f"{i}.wav") for i in range(6)]
    for path in paths:
        soundfile.write(path, rng.uniform(-0.2, 0.2, RATE), RATE)
    return paths


def autoencoder():
    return AutoencoderDetector(hidden_sizes=(6,), bottleneck_size=2, max_epochs=3, random_state=0)


@pytest.fixture(scope="module")
def pipeline(paths):
    return make_pipeline(AudioLoader(RATE), MelTransformer(n_mels=20), autoencoder()).fit(paths)


def test_the_features_the_reconstruction_and_the_error_share_their_axes(pipeline, paths):
    display = ReconstructionDisplay.from_estimator(pipeline, paths[0], figure=Figure())
    X = pipeline[:-1].transform(paths[:1])
    made = pipeline[-1].reconstruct(X)
    (original, reconstruction, error), limits, labels = images(display)
    np.testing.assert_array_equal(original, X[0])
    np.testing.assert_array_equal(reconstruction, made[0])
    np.testing.assert_allclose(error, (X[0] - made[0]) ** 2, rtol=1e-6)
    assert limits[0] == limits[1] == (X.min(), X.max())
    assert limits[2] == pytest.approx((0, np.quantile(error.data, 0.995)))
    shared = display.axes_[0].collections[0].get_clim(), display.axes_[1].collections[0].get_cmap().name
    assert shared == (limits[0], "magma")
    assert labels == [None, "level (dB)", "squared error (dB²)"]
    top, middle, bottom, score = display.axes_
    for ax in (middle, bottom, score):
        assert top.get_shared_x_axes().joined(top, ax)
    # The frames are 32 ms apart. pcolormesh draws a frame from 16 ms before to 16 ms after its middle.
    edges = top.collections[0].get_coordinates()[0, :, 0]
    np.testing.assert_allclose(edges, 0.032 * np.arange(33) - 0.016, atol=1e-12)
    labels = [float(text.get_text()) for text in top.get_yticklabels()]
    assert labels == [200, 500, 1000, 2000, 5000]
    centers = MelTransformer(n_mels=20).band_centers()
    np.testing.assert_allclose(np.interp(top.get_yticks(), np.arange(20), centers), labels)
    assert [ax.get_ylabel() for ax in display.axes_] == 3 * ["frequency (Hz)"] + ["local score"]
    assert [ax.get_title(loc="left") for ax in display.axes_[:3]] == [
        "original",
        "reconstruction",
        "error of the reconstruction",
    ]
    assert score.get_xlabel() == "time (s)"


def test_the_local_scores_of_the_recording_are_drawn(pipeline, paths):
    (recording,) = score_recordings(pipeline, paths[:1])
    for given in (None, recording):
        display = ReconstructionDisplay.from_estimator(pipeline, paths[0], recording=given, figure=Figure())
        score = display.axes_[3]
        np.testing.assert_array_equal(score.lines[0].get_xdata(), recording.times)
        np.testing.assert_array_equal(score.lines[0].get_ydata(), recording.local_scores)
        assert line(score, "worst").get_xdata() == [recording.worst_time]
        assert set(line(score, "threshold").get_ydata()) == {pipeline[-1].offset_}
        title = f"0.wav: {recording.decision}, score {recording.score:.4g}"
        assert display.figure_.get_suptitle() == title


def test_scaled_features_are_not_labelled_as_decibels(paths):
    scaled = make_pipeline(AudioLoader(RATE), MelTransformer(n_mels=20), ClipScaler(), autoencoder()).fit(
        paths
    )
    display = ReconstructionDisplay.from_estimator(scaled, paths[1], figure=Figure())
    (original, *_), limits, labels = images(display)
    np.testing.assert_array_equal(original, scaled[:-1].transform(paths[1:2])[0])
    assert limits[0] == (0, pytest.approx(1))
    assert labels == [None, "feature value", "squared error"]
    assert display.axes_[0].get_ylabel() == "frequency (Hz)"


def test_natural_logarithms_are_not_labelled_as_decibels(paths):
    natural = make_pipeline(AudioLoader(RATE), MelTransformer(n_mels=20, log="natural"), autoencoder()).fit(
        paths
    )
    assert images(ReconstructionDisplay.from_estimator(natural, paths[0]))[2][1] == "feature value"


def test_frames_without_a_prediction_are_blank(paths):
    pipeline = make_pipeline(AudioLoader(RATE), MelTransformer(n_mels=20, lazy=True), Predictor())
    display = ReconstructionDisplay.from_estimator(pipeline, paths[0], figure=Figure())
    X = MelTransformer(n_mels=20).transform(AudioLoader(RATE).transform(paths[:1]))
    (original, prediction, error), limits, _ = images(display)
    np.testing.assert_array_equal(prediction[:, 2:], X[0, :, 1:-1])
    for array in (prediction, error):
        assert array.mask[:, :2].all()
        assert not array.mask[:, 2:].any()
    assert not np.ma.is_masked(original)
    assert np.isfinite(limits).all()
    assert [ax.get_title(loc="left") for ax in display.axes_[1:3]] == [
        "prediction",
        "error of the prediction",
    ]
    score = display.axes_[3].lines[0]
    np.testing.assert_allclose(score.get_xdata(), 0.032 * np.arange(2, 32))
    np.testing.assert_allclose(
        score.get_ydata(), -np.mean((X[0, :, 2:] - X[0, :, 1:-1]) ** 2, axis=0), rtol=1e-5
    )


def test_the_axis_of_embeddings_is_labelled_as_components(paths):
    pipeline = make_pipeline(AudioLoader(RATE), Embedding(), Predictor())
    display = ReconstructionDisplay.from_estimator(pipeline, paths[0], figure=Figure())
    assert [ax.get_ylabel() for ax in display.axes_] == 3 * ["component"] + ["local score"]
    assert images(display)[0][0].shape == (4, 5)
    np.testing.assert_allclose(display.axes_[3].lines[0].get_xdata(), [0.25, 0.35, 0.45])


def test_the_colours_span_the_loudest_80_decibels():
    original = np.full((4, 6), -100.0)
    original[:, 2:] = np.linspace(-30, 10, 16).reshape(4, 4)
    loud = ReconstructionDisplay.from_predictions(original, original + 1, decibels=True, figure=Figure())
    assert images(loud)[1][0] == (-70, 10)
    plain = ReconstructionDisplay.from_predictions(original, original + 1, figure=Figure())
    assert images(plain)[1][0] == (-100, 10)


def test_a_perfect_reconstruction_has_an_error_of_0():
    original = np.random.default_rng(0).normal(size=(4, 6))
    display = ReconstructionDisplay.from_predictions(original, original)
    display.figure_.canvas.draw()
    assert not images(display)[0][2].any()


def test_without_times_the_axis_counts_frames():
    original = np.random.default_rng(0).normal(size=(4, 6))
    scores = [-1.0, -1.0, -3.0, -1.0, -1.0, -1.0]
    display = ReconstructionDisplay.from_predictions(original, 0 * original, local_scores=scores)
    assert display.axes_[3].get_xlabel() == "frame"
    assert display.axes_[3].lines[0].get_xdata().tolist() == [0, 1, 2, 3, 4, 5]
    assert legend_texts(display.axes_[3]) == ["worst, frame 2"]
    without = ReconstructionDisplay.from_predictions(original, 0 * original)
    assert len(without.axes_) == 3
    assert without.axes_[2].get_xlabel() == "frame"


def test_local_scores_are_drawn_at_the_given_times():
    original = np.random.default_rng(0).normal(size=(4, 6))
    settings = {"local_scores": [-1.0, -2.0], "times": [0.2, 0.4], "frame_times": 0.1 * np.arange(6)}
    display = ReconstructionDisplay.from_predictions(
        original, 0 * original, **settings, offset=-1.5, worst_window=0
    )
    score = display.axes_[3]
    assert score.lines[0].get_xydata().tolist() == [[0.2, -1.0], [0.4, -2.0]]
    assert legend_texts(score) == ["worst, 0.20 s", "threshold of the clip"]
    assert score.get_xlabel() == "time (s)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reconstruction": np.zeros((4, 5))}, r"must have one shape, .* got \(4, 6\) and \(4, 5\)"),
        (
            {"original": np.zeros((1, 4, 6)), "reconstruction": np.zeros((1, 4, 6))},
            r"of one clip, got \(1, 4, 6\)",
        ),
        ({"original": np.full((4, 6), np.nan)}, "original contains NaN"),
        (
            {"reconstruction": np.full((4, 6), np.nan), "kind": "prediction"},
            "no frame of the prediction holds",
        ),
        ({"frame_times": [0.1]}, r"frame_times must have shape \(6,\), got \(1,\)"),
        ({"band_centers": [100.0]}, r"band_centers must have shape \(4,\), got \(1,\)"),
        ({"local_scores": [1.0, 2.0]}, r"times must have shape \(2,\), got \(\)"),
        ({"local_scores": [1.0, 2.0], "times": [0.1]}, r"times must have shape \(2,\), got \(1,\)"),
    ],
)
def test_arrays_that_do_not_match_raise_an_error(settings, message):
    arrays = {"original": np.zeros((4, 6)), "reconstruction": np.zeros((4, 6))}
    with pytest.raises(ValueError, match=message):
        ReconstructionDisplay.from_predictions(**{**arrays, **settings})


def test_features_without_a_time_axis_raise_an_error(paths):
    pooled = make_pipeline(AudioLoader(RATE), MelTransformer(), TemporalPooling(), autoencoder()).fit(paths)
    wanted = r"AutoencoderDetector gets features of shape \(1, 256\), without a time axis"
    with pytest.raises(ValueError, match=wanted):
        ReconstructionDisplay.from_estimator(pooled, paths[0])


def test_a_detector_without_a_reconstruction_or_prediction_raises_an_error(paths):
    pipeline = make_pipeline(AudioLoader(RATE), MelTransformer(), ScoreOnly())
    with pytest.raises(ValueError, match="ScoreOnly neither reconstructs nor predicts its input"):
        ReconstructionDisplay.from_estimator(pipeline, paths[0])


def test_a_recording_that_cannot_be_scored_raises_an_error(pipeline, tmp_path):
    with pytest.raises(ValueError, match=r"missing\.wav: no such file"):
        ReconstructionDisplay.from_estimator(pipeline, tmp_path / "missing.wav")
    with pytest.raises(ValueError, match="a Pipeline that begins with AudioLoader is needed"):
        ReconstructionDisplay.from_estimator(pipeline[-1], tmp_path / "missing.wav")
