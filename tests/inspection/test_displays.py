"""The data of the artists of matplotlib are those of the losses, scores and spectrograms."""

import librosa
import numpy as np
import pytest
import soundfile
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioLoader, AutoencoderDetector, LevelNormalizer, MelTransformer, TemporalPooling
from skaudio_ad.inspection import (
    LocalScoreDisplay,
    LossCurveDisplay,
    ScoreDistributionDisplay,
)
from skaudio_ad.recordings import score_recordings

from .artists import axes, legend_texts, line

RATE = 16000


def features(n_clips=40, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, 6)).astype(np.float32)


def small_detector(**settings):
    return AutoencoderDetector(hidden_sizes=(6,), bottleneck_size=2, max_epochs=3, random_state=0, **settings)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("displays"), np.random.default_rng(0)
    paths = [str(folder / f"{i}.wav") for i in range(6)]
    for path in paths:
        soundfile.write(path, rng.uniform(-0.2, 0.2, RATE), RATE)
    return paths


@pytest.fixture(scope="module")
def pipeline(recordings):
    mel = MelTransformer(n_mels=20, log="natural")
    return make_pipeline(AudioLoader(RATE), mel, small_detector()).fit(recordings)


def test_a_loss_curve_counts_epochs_from_one_and_marks_the_weights_kept():
    ax = axes()
    display = LossCurveDisplay([3.0, 2.0, 1.0], [3.5, 2.5, 2.75], best_epoch=1).plot(ax=ax)
    assert line(ax, "training clips").get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]]
    assert line(ax, "held-out clips").get_xydata().tolist() == [[1, 3.5], [2, 2.5], [3, 2.75]]
    assert set(line(ax, "weights kept").get_xdata()) == {2}
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("epoch", "loss", "log")
    assert legend_texts(ax) == ["training clips", "held-out clips", "weights kept"]
    assert (display.ax_, display.figure_) == (ax, ax.figure)


@pytest.mark.parametrize(
    ("curve", "scale", "labels"),
    [
        ([1e9, 1e6, 1e3], "log", None),
        ([120.0, 40.0, 11.0], "log", ["10", "20", "30", "50", "70", "100"]),
        ([1.2, 1.1, 1.0], "linear", None),
        # A logarithmic axis would hide the negative loss of a likelihood above 1.
        ([100.0, 1.0, -3.0], "linear", None),
        ([100.0, 1.0, 0.0], "linear", None),
    ],
    ids=str,
)
def test_the_axis_shows_every_loss_and_has_labels(curve, scale, labels):
    ax = axes()
    LossCurveDisplay(curve).plot(ax=ax)
    ax.figure.canvas.draw()
    assert ax.get_yscale() == scale
    low, high = ax.get_ylim()
    assert low < min(curve) < max(curve) < high
    shown = [text for text in ax.get_yticklabels() if low <= text.get_position()[1] <= high]
    assert len(shown) > 1
    if labels:
        assert [text.get_text() for text in shown] == labels


def test_an_estimator_without_held_out_losses_has_one_curve():
    class Trained:
        loss_curve_ = [3.0, 1.0]

    assert legend_texts(LossCurveDisplay.from_estimator(Trained()).ax_) == ["training clips"]


def test_a_loss_curve_without_held_out_clips_is_one_line():
    ax = axes()
    LossCurveDisplay([2.0, 1.0]).plot(ax=ax)
    assert legend_texts(ax) == ["training clips"]


@pytest.mark.parametrize(
    "wrap", [lambda d: d, lambda d: make_pipeline("passthrough", d)], ids=["detector", "pipeline"]
)
def test_the_loss_curve_of_a_detector_shows_the_losses_of_its_training(wrap):
    estimator = wrap(small_detector()).fit(features())
    fitted = estimator[-1] if hasattr(estimator, "steps") else estimator
    display = LossCurveDisplay.from_estimator(estimator)
    assert line(display.ax_, "training").get_ydata().tolist() == fitted.loss_curve_
    assert line(display.ax_, "held-out").get_ydata().tolist() == fitted.validation_loss_curve_
    assert line(display.ax_, "weights").get_xdata()[0] == fitted.best_epoch_ + 1


def test_an_estimator_without_a_loss_curve_raises_an_error():
    with pytest.raises(ValueError, match="AutoencoderDetector has no loss_curve_: fit it first"):
        LossCurveDisplay.from_estimator(small_detector())


def bars(ax):
    """Heights of every group of bars, by label, and the edges they share."""
    groups = {c[0].get_label(): [bar.get_height() for bar in c] for c in ax.containers}
    first = ax.containers[0]
    edges = [bar.get_x() for bar in first] + [first[-1].get_x() + first[-1].get_width()]
    return groups, edges


def test_normal_and_anomalous_clips_are_counted_in_the_same_bins():
    y, scores = [1, 1, 1, -1, -1, 1], [-1.0, -1.2, -2.5, -3.9, -3.0, -0.1]
    ax = axes()
    display = ScoreDistributionDisplay.from_predictions(y, scores, offset=-2.75, ax=ax, bins=4)
    groups, edges = bars(ax)
    # Steps of 0.95, a quarter of the range from -3.9 to -0.1. One edge is the threshold.
    np.testing.assert_allclose(edges, [-4.65, -3.7, -2.75, -1.8, -0.85, 0.1])
    assert groups == {"normal (4)": [0, 0, 1, 2, 1], "anomalous (2)": [1, 1, 0, 0, 0]}
    assert set(line(ax, "threshold").get_xdata()) == {-2.75}
    assert "threshold (-2.75)" in legend_texts(ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("score (higher is more normal)", "clips")
    colors = {c[0].get_label().split()[0]: to_hex(c[0].get_facecolor()) for c in ax.containers}
    assert colors == {"normal": "#0072b2", "anomalous": "#d55e00"}
    outlines = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
    assert [outline.get_data().values.tolist() for outline in outlines] == list(groups.values())
    assert [outline.get_linestyle() for outline in outlines] == ["-", "--"]
    assert display.ax_ is ax


def test_no_bar_holds_clips_from_both_sides_of_the_threshold():
    scores = np.random.default_rng(0).normal(size=200)
    for offset in (np.sort(scores)[10], -0.3, scores.max()):
        ax = axes()
        ScoreDistributionDisplay(scores, offset=offset).plot(ax=ax)
        groups, edges = bars(ax)
        assert min(abs(np.array(edges) - offset)) < 1e-12
        heights = np.array(groups["clips (200)"])
        assert heights.sum() == 200
        assert heights[np.array(edges[:-1]) < offset - 1e-9].sum() == (scores < offset).sum()


def test_a_histogram_without_labels_has_one_group_and_no_threshold():
    ax = axes()
    scores = np.random.default_rng(0).normal(size=100)
    ScoreDistributionDisplay(scores).plot(ax=ax)
    groups, edges = bars(ax)
    expected = np.histogram(scores, bins=np.histogram_bin_edges(scores, bins="auto"))
    assert groups == {"clips (100)": expected[0].tolist()}
    np.testing.assert_allclose(edges, expected[1])
    assert not ax.lines


def test_a_far_outlier_does_not_make_a_million_bars():
    scores = np.append(np.random.default_rng(0).normal(size=200), -1e9)
    ax = axes()
    ScoreDistributionDisplay(scores).plot(ax=ax)
    (heights,), edges = bars(ax)[0].values(), bars(ax)[1]
    assert (len(heights), sum(heights)) == (100, 201)
    assert (edges[0], edges[-1]) == pytest.approx((-1e9, scores.max()))


def test_the_axis_of_a_histogram_counts_whole_clips():
    ax = axes()
    ScoreDistributionDisplay([0.0, 0.1, 1.0]).plot(ax=ax, bins=2)
    assert all(tick == round(tick) for tick in ax.get_yticks())


def test_clips_without_a_score_are_left_out_and_the_title_shows_their_number():
    ax = axes()
    ScoreDistributionDisplay.from_predictions([1, 1, -1, -1], [0.0, np.nan, np.nan, 1.0], ax=ax, bins=2)
    assert bars(ax)[0] == {"normal (1)": [1, 0], "anomalous (1)": [0, 1]}
    assert ax.get_title() == "2 clips without a score left out"


def test_scores_that_are_all_nan_raise_an_error():
    with pytest.raises(ValueError, match="no score to draw"):
        ScoreDistributionDisplay([np.nan, np.nan]).plot(ax=axes())


def test_labels_other_than_1_and_minus_1_raise_an_error():
    with pytest.raises(
        ValueError, match=r"y_true must hold 1 for normal and -1 for anomalous clips, got the labels \[0, 1\]"
    ):
        ScoreDistributionDisplay.from_predictions([0, 1, 1], [0.1, 0.2, 0.3], ax=axes())


def test_every_clip_needs_a_label():
    with pytest.raises(ValueError, match=r"y_true must have shape \(3,\), one label a clip, got \(2,\)"):
        ScoreDistributionDisplay.from_predictions([1, -1], [0.1, 0.2, 0.3], ax=axes())


def test_from_estimator_draws_the_scores_of_the_estimator():
    X, y = features(), np.where(np.arange(40) < 30, 1, -1)
    estimator = make_pipeline("passthrough", small_detector()).fit(X)
    one = ScoreDistributionDisplay.from_estimator(estimator, X, y, bins=7)
    offset = estimator[-1].offset_
    two = ScoreDistributionDisplay.from_predictions(y, estimator.score_samples(X), offset=offset, bins=7)
    assert bars(one.ax_) == bars(two.ax_)
    assert sum(map(sum, bars(one.ax_)[0].values())) == 40
    assert (
        line(one.ax_, "threshold").get_xdata() == line(two.ax_, "threshold").get_xdata() == [offset, offset]
    )
    assert one.figure_ is not two.figure_


def test_local_scores_are_drawn_below_the_spectrogram_on_one_time_axis(pipeline, recordings):
    display = LocalScoreDisplay.from_estimator(pipeline, recordings[0], figure=Figure())
    (recording,) = score_recordings(pipeline, recordings[:1])
    top, bottom = display.axes_
    curve = bottom.lines[0]
    np.testing.assert_array_equal(curve.get_xdata(), recording.times)
    np.testing.assert_array_equal(curve.get_ydata(), recording.local_scores)
    worst = line(bottom, "worst")
    # The first and the last window are left out because they reach into the padding.
    assert worst.get_xydata().tolist() == [[recording.worst_time, recording.local_scores[1:-1].min()]]
    assert worst.get_label() == f"worst, {recording.worst_time:.2f} s"
    assert set(line(bottom, "threshold").get_ydata()) == {pipeline[-1].offset_}
    assert top.get_shared_x_axes().joined(top, bottom)
    assert (top.get_ylabel(), bottom.get_ylabel(), bottom.get_xlabel()) == (
        "frequency (Hz)",
        "local score",
        "time (s)",
    )
    assert top.get_title() == f"0.wav: {recording.decision}, score {recording.score:.4g}"


def test_given_local_scores_are_drawn_as_those_of_a_detector():
    display = LocalScoreDisplay.from_predictions(
        [[0, -30, -100, -50]] * 3,
        [-1, -5, -2],
        frame_times=np.arange(4),
        band_centers=[100, 200, 500],
        times=[1, 2, 3],
        offset=-4.0,
        title="fan",
        figure=Figure(),
    )
    top, bottom = display.axes_
    assert bottom.lines[0].get_xydata().tolist() == [[1, -1], [2, -5], [3, -2]]
    assert line(bottom, "worst").get_label() == "worst, 2.00 s"
    assert set(line(bottom, "threshold").get_ydata()) == {-4.0}
    assert (top.get_title(), top.collections[0].get_clim()[0]) == ("fan", -80)


def test_a_threshold_of_another_scale_is_not_drawn(pipeline, recordings):
    (recording,) = score_recordings(pipeline, recordings[:1])
    recording.score = 1e4 * recording.score  # for example the score of a VAE, which weighs two losses
    display = LocalScoreDisplay.from_estimator(pipeline, recordings[0], recording=recording, figure=Figure())
    assert [text.split(",")[0] for text in legend_texts(display.axes_[1])] == ["worst"]
    low, high = display.axes_[1].get_ylim()
    assert low < recording.local_scores.min() < recording.local_scores.max() < high


@pytest.mark.parametrize("time_pooling", ["mean", "max", "quantile"])
def test_a_threshold_is_drawn_for_every_way_to_pool_local_scores(recordings, time_pooling):
    mel = MelTransformer(n_mels=20)
    pipeline = make_pipeline(AudioLoader(RATE), mel, small_detector(time_pooling=time_pooling)).fit(
        recordings
    )
    for path in recordings:
        display = LocalScoreDisplay.from_estimator(pipeline, path, figure=Figure())
        assert set(line(display.axes_[1], "threshold").get_ydata()) == {pipeline[-1].offset_}


def test_the_spectrogram_is_drawn_in_decibels_if_the_detector_gets_natural_logarithms(pipeline, recordings):
    display = LocalScoreDisplay.from_estimator(pipeline, recordings[0], figure=Figure())
    samples, _ = soundfile.read(recordings[0], dtype="float32")
    mel = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=1024, hop_length=512, n_mels=20, pad_mode="constant"
    )
    expected = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None)
    (image,) = display.axes_[0].collections
    np.testing.assert_allclose(image.get_array(), expected, atol=1e-3)
    assert image.get_clim()[0] == pytest.approx(max(expected.min(), expected.max() - 80), abs=1e-3)
    colorbar = image.colorbar
    assert colorbar.ax.get_ylabel() == "level (dB)"
    np.testing.assert_allclose(
        display.frame_times, librosa.frames_to_time(np.arange(32), sr=RATE, hop_length=512)
    )
    centers = librosa.mel_frequencies(22, fmin=0, fmax=RATE / 2)[1:-1]
    ticks = display.axes_[0].get_yticks()
    labels = [float(label.get_text()) for label in display.axes_[0].get_yticklabels()]
    np.testing.assert_allclose(labels, np.interp(ticks, np.arange(20), centers))
    assert labels == [200, 500, 1000, 2000, 5000]


def test_a_scored_recording_is_not_scored_again(pipeline, recordings):
    (recording,) = score_recordings(pipeline, recordings[:1])
    recording.score, recording.local_scores = -123.0, np.linspace(-1, 0, len(recording.times))
    display = LocalScoreDisplay.from_estimator(pipeline, recordings[0], recording=recording, figure=Figure())
    assert "score -123" in display.axes_[0].get_title()
    np.testing.assert_array_equal(display.axes_[1].lines[0].get_ydata(), recording.local_scores)


def test_only_the_spectrogram_is_drawn_for_features_without_a_time_axis(recordings):
    pooled = make_pipeline(
        AudioLoader(RATE), LevelNormalizer(), MelTransformer(), TemporalPooling(), small_detector()
    )
    display = LocalScoreDisplay.from_estimator(pooled.fit(recordings), recordings[0], figure=Figure())
    assert len(display.axes_) == 1
    assert display.axes_[0].get_xlabel() == "time (s)"
    assert display.axes_[0].collections[0].get_array().shape == (128, 32)


def test_a_recording_that_cannot_be_scored_raises_an_error(pipeline, tmp_path):
    with pytest.raises(ValueError, match=r"missing\.wav: no such file"):
        LocalScoreDisplay.from_estimator(pipeline, tmp_path / "missing.wav")


def test_displays_make_a_new_figure_by_default(pipeline, recordings):
    import matplotlib.pyplot as plt

    display = LocalScoreDisplay.from_estimator(pipeline, recordings[0])
    assert display.figure_ is plt.gcf()
    assert LossCurveDisplay([1.0]).plot().figure_ is plt.gcf()
