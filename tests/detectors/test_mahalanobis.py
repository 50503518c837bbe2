"""Mahalanobis distances against scikit-learn's covariances, and leave-one-out scores against refits."""

import re

import numpy as np
import pytest
from sklearn.covariance import OAS, EmpiricalCovariance, LedoitWolf
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import MahalanobisDetector
from skaudio_ad._lazy import LazySequence
from skaudio_ad.detectors import _moments

ESTIMATORS = {"ledoit-wolf": LedoitWolf, "empirical": EmpiricalCovariance, "oas": OAS}


def embeddings(n_clips=60, n_features=7, seed=0):
    """Correlated features of different scale, away from the origin."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(9).normal(size=(n_features, n_features))
    return 3 + rng.normal(size=(n_clips, n_features)) * np.linspace(0.3, 2, n_features) @ mixing


def sequences(lengths=(9, 3, 14, 6, 11, 8), n_features=4, seed=0):
    return [embeddings(n, n_features, seed=seed + n).T for n in lengths]


def expected_distances(rows, others, covariance):
    """Distances by scikit-learn, which returns squares."""
    return np.sqrt(ESTIMATORS[covariance]().fit(others).mahalanobis(rows))


@pytest.fixture(params=ESTIMATORS)
def covariance(request):
    return request.param


# Distances


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_score_is_minus_the_mahalanobis_distance_by_the_covariance_of_scikit_learn(covariance, dtype):
    X, new = embeddings().astype(dtype), embeddings(9, seed=1).astype(dtype)
    detector = MahalanobisDetector(covariance).fit(X)
    expected = expected_distances(new.astype(np.float64), X.astype(np.float64), covariance)
    np.testing.assert_allclose(detector.score_samples(new), -expected, rtol=1e-10)
    assert detector.score_samples(new).dtype == np.float64
    np.testing.assert_allclose(detector.location_, X.astype(np.float64).mean(axis=0), rtol=1e-12)
    fitted = ESTIMATORS[covariance]().fit(X.astype(np.float64))
    assert detector.shrinkage_ == pytest.approx(getattr(fitted, "shrinkage_", 0), rel=1e-10)


@pytest.mark.parametrize("covariance", ["ledoit-wolf", "oas"])
def test_fewer_clips_than_features_are_enough_for_a_shrunk_covariance(covariance):
    X, new = embeddings(12, 40), embeddings(5, 40, seed=1)
    detector = MahalanobisDetector(covariance).fit(X)
    np.testing.assert_allclose(
        detector.score_samples(new), -expected_distances(new, X, covariance), rtol=1e-9
    )


def test_the_empirical_distance_does_not_depend_on_the_scale_of_the_features():
    X, new = embeddings(), embeddings(9, seed=1)
    scale = np.logspace(-1, 1, 7)
    scores = MahalanobisDetector("empirical").fit(X).score_samples(new)
    np.testing.assert_allclose(
        MahalanobisDetector("empirical").fit(X * scale).score_samples(new * scale), scores, rtol=1e-8
    )
    standard = make_pipeline(StandardScaler(), MahalanobisDetector("empirical")).fit(X)
    np.testing.assert_allclose(standard.score_samples(new), scores, rtol=1e-9)


def test_an_offset_of_the_features_changes_no_distance(covariance):
    X, new = embeddings(), embeddings(9, seed=1)
    scores = MahalanobisDetector(covariance).fit(X).score_samples(new)
    moved = MahalanobisDetector(covariance).fit(X + 1e6)
    np.testing.assert_allclose(moved.score_samples(new + 1e6), scores, rtol=1e-7)


def test_the_score_of_a_clip_is_the_same_alone_in_any_batch_and_in_any_order(covariance):
    detector = MahalanobisDetector(covariance).fit(embeddings())
    new = embeddings(150, seed=1)
    scores = detector.score_samples(new)
    alone = [detector.score_samples(new[i : i + 1])[0] for i in range(150)]
    np.testing.assert_allclose(alone, scores, rtol=1e-12)
    np.testing.assert_allclose(detector.score_samples(new[::-1])[::-1], scores, rtol=1e-12)


def test_a_frame_is_measured_by_the_mean_and_covariance_of_all_training_frames(covariance):
    X, new = sequences(), sequences((5, 1, 8), seed=20)
    detector = MahalanobisDetector(covariance, time_pooling="max").fit(X)
    frames = np.hstack(X).T
    for clip, scores, score in zip(new, detector.score_frames(new), detector.score_samples(new), strict=True):
        expected = expected_distances(clip.T, frames, covariance)
        np.testing.assert_allclose(scores, -expected, rtol=1e-6)
        assert score == pytest.approx(-expected.max(), rel=1e-9)
    np.testing.assert_array_equal(
        MahalanobisDetector(covariance, time_pooling="max").fit(LazySequence(X)).score_samples(new),
        detector.score_samples(new),
    )


# Leave-one-out scores


@pytest.mark.parametrize("n_features", [1, 7, 50])
@pytest.mark.parametrize("by_group", [False, True])
def test_held_out_scores_are_those_of_a_fit_without_the_clip_or_its_group(covariance, n_features, by_group):
    if covariance == "empirical" and n_features == 50:
        pytest.skip("the covariance of fewer clips than features is singular")
    X = embeddings(40, n_features)
    X[5] += 30  # an outlier, which moves the mean, the covariance and the shrinkage
    groups = np.random.default_rng(1).integers(0, 6, size=40) if by_group else np.arange(40)
    detector = MahalanobisDetector(covariance).fit(X, groups=groups if by_group else None)
    for i in range(40):
        expected = expected_distances(X[i : i + 1], X[groups != groups[i]], covariance)
        assert detector.held_out_scores_[i] == pytest.approx(-expected[0], rel=1e-8)


@pytest.mark.parametrize("by_group", [False, True])
@pytest.mark.parametrize("n_features", [4, 30])
def test_held_out_scores_of_sequences_leave_all_their_frames_out(covariance, n_features, by_group):
    X = sequences((9, 3, 44, 6, 31, 8, 40, 2), n_features)
    groups = np.array([0, 0, 1, 2, 2, 3, 4, 3]) if by_group else np.arange(8)
    detector = MahalanobisDetector(covariance).fit(X, groups=groups if by_group else None)
    for i, clip in enumerate(X):
        others = np.hstack([other for other, group in zip(X, groups) if group != groups[i]]).T
        expected = expected_distances(clip.T, others, covariance).mean()
        assert detector.held_out_scores_[i] == pytest.approx(-expected, rel=1e-8)


@pytest.mark.parametrize("size", [1e1, 1e3, 1e6])
def test_a_clip_that_holds_nearly_all_variance_is_left_out_exactly(covariance, size):
    if covariance == "empirical" and size == 1e6:
        pytest.skip("the inverse of a covariance with variances from 1 to 1e12 has lost its digits")
    X = embeddings(30)
    X[4] *= size
    detector = MahalanobisDetector(covariance).fit(X)
    for i in (3, 4):
        expected = expected_distances(X[i : i + 1], np.delete(X, i, axis=0), covariance)
        assert detector.held_out_scores_[i] == pytest.approx(-expected[0], rel=1e-8)


def test_the_only_clip_that_varies_in_a_direction_is_left_out_exactly():
    X = embeddings(30)
    X[:, 3] = 1e-3 * np.random.default_rng(2).normal(size=30)
    X[4, 3] = 5
    for covariance in ("ledoit-wolf", "oas", "empirical"):
        scores = MahalanobisDetector(covariance).fit(X).held_out_scores_
        expected = expected_distances(X[4:5], np.delete(X, 4, axis=0), covariance)
        assert scores[4] == pytest.approx(-expected[0], rel=1e-8)


def test_leaving_clips_out_takes_one_decomposition(monkeypatch):
    calls = []
    decompose = np.linalg.eigh
    monkeypatch.setattr(_moments.np.linalg, "eigh", lambda matrix: calls.append(1) or decompose(matrix))
    MahalanobisDetector().fit(embeddings(200))
    assert len(calls) == 1


def test_the_threshold_keeps_its_false_alarms_and_counts_groups_once():
    rates = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        detector = MahalanobisDetector().fit(rng.normal(size=(39, 5)))
        rates.append((detector.predict(rng.normal(size=(200, 5))) == -1).mean())
    assert 0.03 < np.mean(rates) < 0.07
    X, groups = embeddings(90), np.repeat(np.arange(30), 3)
    assert MahalanobisDetector().fit(X).offset_ != MahalanobisDetector().fit(X, groups=groups).offset_


# Bad input


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("covariance", "ledoit"),
        ("time_pooling", "min"),
        ("time_quantile", 1.5),
        ("contamination", 0.7),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=rf"^{name} must .*got {re.escape(repr(value))}\.$"):
        MahalanobisDetector(**{name: value}).fit(embeddings())


def test_too_few_clips_are_an_error_that_says_how_many_are_needed():
    with pytest.raises(
        ValueError,
        match=r"^covariance='empirical' of 7 features needs 8 training clips .* got 7 from n_samples=8\. "
        r'Pass more clips, or use covariance="ledoit-wolf"\.$',
    ):
        MahalanobisDetector("empirical").fit(embeddings(8))
    assert MahalanobisDetector("empirical").fit(embeddings(9)).n_samples_fit_ == 9
    with pytest.raises(ValueError, match=r"features needs 3 training clips .* got 2 from n_samples=3\. Pass"):
        MahalanobisDetector().fit(embeddings(3))
    with pytest.raises(ValueError, match=r"needs 3 training clips beside those of any one group"):
        MahalanobisDetector().fit(embeddings(9), groups=np.zeros(9))


def test_a_singular_covariance_is_an_error_with_the_way_out():
    X = embeddings()
    X[:, 2] = X[:, 1] - X[:, 0]
    with pytest.raises(ValueError, match=r'has no inverse, because .* or use covariance="ledoit-wolf"'):
        MahalanobisDetector("empirical").fit(X)
    assert np.isfinite(MahalanobisDetector().fit(X).score_samples(X)).all()
    with pytest.raises(ValueError, match=r"has no inverse, because .* Pass more clips that differ\.$"):
        MahalanobisDetector().fit(np.ones((9, 4)))
    X = embeddings()
    X[:, 2], X[7, 2] = 1.0, 2.0
    with pytest.raises(ValueError, match="of 59 training rows with 7 features has no inverse"):
        MahalanobisDetector("empirical").fit(X)
