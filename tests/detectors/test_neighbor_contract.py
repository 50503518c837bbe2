"""Bad input of `NearestNeighborsDetector`, and its contract with scikit-learn."""

import copy
import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import AudioClips, AudioLoader, MelTransformer, NearestNeighborsDetector, TemporalPooling
from skaudio_ad._lazy import LazySequence
from skaudio_ad.datasets import load_esc10
from skaudio_ad.metrics import anomaly_auc_score
from skaudio_ad.persistence import load_detector, save_detector

from .neighbors import METRICS, embeddings, fit, sequences


@pytest.fixture(params=METRICS)
def metric(request):
    return request.param


# Bad input


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_neighbors", 0),
        ("n_neighbors", 1.0),
        ("n_neighbors", True),
        ("metric", "manhattan"),
        ("aggregate", "median"),
        ("time_pooling", "min"),
        ("time_quantile", 1.1),
        ("time_quantile", None),
        ("contamination", 0.6),
        ("contamination", "automatic"),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value):
    with pytest.raises((ValueError, TypeError), match=rf"^{name} must .*got {re.escape(repr(value))}\.$"):
        fit(embeddings(), **{name: value})


def test_an_unfitted_detector_says_so():
    detector = NearestNeighborsDetector()
    for method in ("score_samples", "score_frames", "predict", "decision_function", "kneighbors"):
        with pytest.raises(NotFittedError):
            getattr(detector, method)(embeddings())
    with pytest.raises(NotFittedError):
        detector.window_centers(3)


@pytest.mark.parametrize("X", [[], np.empty((0, 4)), np.empty((0, 4, 12)), LazySequence([])])
def test_no_clip_is_an_error(X):
    with pytest.raises(ValueError, match=r"0 samples?|no clips|0 sample\(s\)"):
        fit(X)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_an_error(bad):
    detector, frames = fit(embeddings()), fit(sequences())
    X, array, clips = embeddings(), np.stack(sequences([6] * 4)), sequences()
    X[3, 1] = array[2, 1, 0] = clips[2][0, 5] = bad
    message = "NaN among numbers, first in clip 3" if np.isnan(bad) else "infinity"
    for method in (detector.score_samples, detector.kneighbors, clone(detector).fit):
        with pytest.raises(ValueError, match=message):
            method(X)
    for given, message in (
        (array, "NaN among numbers, first in clip 2" if np.isnan(bad) else "infinity"),
        (clips, "clip 2 contains NaN or infinity"),
        (LazySequence(clips), "^clip 2: contains NaN or infinity"),
    ):
        for method in (frames.score_samples, frames.score_frames, clone(frames).fit):
            with pytest.raises(ValueError, match=message):
                method(given)


def test_nothing_but_missing_clips_is_nothing_to_train_on():
    with pytest.raises(ValueError, match="nothing to train on: none of the 3 clips could be read"):
        fit(np.full((3, 4), np.nan))


def test_other_features_than_in_fit_are_refused():
    with pytest.raises(ValueError, match=r"X has 3 features, but NearestNeighborsDetector is expecting 8"):
        fit(embeddings()).score_samples(embeddings(2, 3))
    with pytest.raises(ValueError, match=r"clip 1 has 3 bins, but NearestNeighborsDetector expects 4"):
        fit(sequences()).score_samples([sequences()[0], sequences((5,), 3)[0]])


def test_a_lazy_clip_of_another_shape_is_named():
    detector = fit(sequences())
    other = sequences((5,), 3)[0]
    for clip, shape in ((other, "(3, 5)"), (np.ones(4, np.float32), "(4,)"), (np.ones((4, 0)), "(4, 0)")):
        lazy = LazySequence([*sequences((6, 6)), clip])
        message = rf"^clip 2: must have the shape \(4, n_frames\), got {re.escape(shape)}\.$"
        with pytest.raises(ValueError, match=message):
            detector.score_samples(lazy)
    with pytest.raises(ValueError, match=r"^clip 2: must have the shape \(4, n_frames\), got \(3, 5\)"):
        fit(LazySequence([*sequences((6, 6)), other]))


def test_embeddings_and_sequences_are_not_mistaken_for_each_other():
    clips, frames = fit(embeddings(9, 4)), fit(sequences())
    for given in (sequences(), LazySequence(sequences())):
        with pytest.raises(
            ValueError,
            match=r"was fitted on one embedding a clip, .*, but X holds sequences: pass the same kind",
        ):
            clips.score_samples(given)
    with pytest.raises(ValueError, match=r"fitted on one embedding a clip, .* but X has shape \(2, 4, 5\)"):
        clips.kneighbors(np.ones((2, 4, 5)))
    with pytest.raises(ValueError, match=r"was fitted on sequences, .*, but X has shape \(9, 4\)"):
        frames.score_frames(embeddings(9, 4))


def test_waveforms_are_refused_with_a_hint_to_the_features_that_are_missing():
    with pytest.raises(
        ValueError, match=r"takes spectrograms.*\(1000,\): put a MelTransformer in front of it"
    ):
        fit(AudioClips(np.ones((4, 1000)), 16000))


# A good guest of scikit-learn


@pytest.mark.parametrize("given", ["embeddings", "sequences"])
def test_copies_and_files_score_as_the_original_whatever_is_set_after_the_fit(given, tmp_path):
    X = embeddings() if given == "embeddings" else sequences()
    new = embeddings(9, seed=1) if given == "embeddings" else sequences((3, 8), seed=1)
    detector = fit(X, n_neighbors=2)
    scores, frames = detector.score_samples(new), detector.score_frames(new)
    detector.set_params(
        n_neighbors=3,
        metric="cosine",
        aggregate="max",
        time_pooling="max",
        time_quantile=0.1,
        contamination=0.5,
    )
    save_detector(detector, tmp_path / "detector.skops")
    loaded = load_detector(tmp_path / "detector.skops")
    for again in (detector, pickle.loads(pickle.dumps(detector)), copy.deepcopy(detector), loaded):
        np.testing.assert_array_equal(again.score_samples(new), scores)
        for part, expected in zip(again.score_frames(new), frames, strict=True):
            np.testing.assert_array_equal(part, expected)
        np.testing.assert_array_equal(again.decision_function(new), scores - detector.offset_)
    refitted = clone(detector).fit(X)
    expected = fit(X, **detector.get_params())
    np.testing.assert_array_equal(refitted.score_samples(new), expected.score_samples(new))
    assert (refitted.score_samples(new) != scores).all()


def test_what_the_caller_does_to_the_training_clips_later_does_not_matter(metric):
    X, new = embeddings(), embeddings(5, seed=1)
    detector = fit(X, metric=metric)
    scores = detector.score_samples(new)
    X[:] = 0
    np.testing.assert_array_equal(detector.score_samples(new), scores)


def test_the_training_clips_are_left_as_they_are(metric):
    X = embeddings()
    X.flags.writeable = False
    detector = fit(X, metric=metric)
    detector.score_samples(X)
    np.testing.assert_array_equal(X, embeddings())


def test_names_of_features_are_kept_and_checked():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(embeddings(20, 3), columns=["a", "b", "c"])
    detector = fit(X)
    assert detector.feature_names_in_.tolist() == ["a", "b", "c"]
    assert detector.kneighbors(X)[1][:, 0].tolist() == list(range(20))
    assert detector.fit_predict(X).shape == (20,)
    with pytest.raises(ValueError, match="feature names should match"):
        detector.score_samples(X[["b", "a", "c"]])


@pytest.mark.real_data
def test_dog_barks_stand_out_from_other_sounds_by_the_mean_and_deviation_of_their_bands(data_home):
    sounds = load_esc10("Dog bark", data_home=data_home)
    pooled = make_pipeline(AudioLoader(16000), MelTransformer(), TemporalPooling()).fit_transform(
        sounds.paths
    )
    train = (sounds.target == 1) & (sounds.metadata["fold"] != 5)
    detector = make_pipeline(StandardScaler(), NearestNeighborsDetector()).fit(pooled[train])
    auc = anomaly_auc_score(sounds.target[~train], detector.score_samples(pooled[~train]))
    assert auc > 0.8
    assert (detector.predict(pooled[~train & (sounds.target == 1)]) == 1).sum() >= 7  # of 8
