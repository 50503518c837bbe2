"""Mahalanobis errors of the autoencoder against a slow reference in NumPy."""

import re

import numpy as np
import pytest
import sklearn
from sklearn.covariance import ledoit_wolf

from skaudio_ad import AutoencoderDetector, ThresholdedDetector
from skaudio_ad._lazy import LazySequence

FORMS = ("mahalanobis", "mahalanobis-clip")
DOMAINS = np.array(["source"] * 9 + ["target"] * 5)


def detector(error="mahalanobis", **settings):
    defaults = {"hidden_sizes": (6,), "bottleneck_size": 2, "context": 3, "max_epochs": 3, "random_state": 0}
    return AutoencoderDetector(error=error, **{**defaults, **settings})


def spectrograms(n_clips=14, n_frames=40, seed=0):
    """Clips of 4 bins; the bins of the target domain differ more."""
    X = np.random.default_rng(seed).normal(size=(n_clips, 4, n_frames))
    X[9:] *= [[3.0], [1.0], [0.5], [2.0]]
    return X.astype(np.float32)


@pytest.fixture(scope="module", params=FORMS)
def fitted(request):
    return detector(request.param).fit(spectrograms(), domains=DOMAINS)


def residuals(model, clip, length=3):
    """Residual of every window, (n_windows, length * n_bins), frame after frame, by the network itself."""
    import torch

    windows = np.stack([clip[:, i : i + length].T.ravel() for i in range(clip.shape[1] - length + 1)])
    with torch.no_grad():
        return windows - model.module_(torch.from_numpy(windows)).double().numpy()


def rows_of(model, clip):
    made = residuals(model, clip)
    return made if model.error == "mahalanobis" else made.reshape(-1, clip.shape[0])


def slow_errors(model, X, clips, domains):
    """Errors of clips by the inverse covariances of the domains, one clip, window and domain at a time."""
    train = np.setdiff1d(np.arange(len(X)), model.held_out_indices_)
    inverses = [
        np.linalg.inv(np.cov(np.concatenate([rows_of(model, X[i]) for i in train if domains[i] == d]).T))
        for d in np.unique(domains)
    ]
    errors = []
    for clip in clips:
        rows = rows_of(model, clip)
        if model.error == "mahalanobis":
            nearest = [min(row @ inverse @ row for inverse in inverses) for row in rows]
            errors.append(sum(nearest) / (rows.shape[1] * len(rows)))
        else:
            mean = rows.mean(axis=0)
            errors.append(min(mean @ inverse @ mean for inverse in inverses))
    return np.array(errors)


def test_scores_are_those_of_the_slow_reference(fitted):
    X, new = spectrograms(), 2 * spectrograms(6, 25, seed=1)
    np.testing.assert_allclose(fitted.score_samples(new), -slow_errors(fitted, X, new, DOMAINS), rtol=1e-6)
    assert fitted.domains_.tolist() == ["source", "target"]
    np.testing.assert_array_equal(fitted.held_out_scores_, fitted.score_samples(X[fitted.held_out_indices_]))
    # A domain counts: with one covariance for all clips the scores are others.
    together = slow_errors(fitted, X, new, np.zeros(14))
    assert not np.allclose(fitted.score_samples(new), -together, rtol=1e-2)


def test_without_domains_there_is_one_covariance():
    X = spectrograms()
    for form in FORMS:
        model = detector(form).fit(X)
        np.testing.assert_allclose(model.score_samples(X), -slow_errors(model, X, X, np.zeros(14)), rtol=1e-6)
        assert len(model.domains_) == 0


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_features_have_a_distance_each(form):
    X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    domains = np.arange(60) % 2
    model = detector(form).fit(X, domains=domains)
    rows = X - model.reconstruct(X)
    train = np.setdiff1d(np.arange(60), model.held_out_indices_)
    inverses = [np.linalg.inv(np.cov(rows[train[domains[train] == d]].T)) for d in (0, 1)]
    expected = np.min([np.einsum("ij,jk,ik->i", rows, inverse, rows) for inverse in inverses], axis=0)
    expected /= 5 if form == "mahalanobis" else 1
    np.testing.assert_allclose(model.score_samples(X), -expected, rtol=1e-6)
    np.testing.assert_allclose(model.score_frames(X)[:, 0], -expected, rtol=1e-6)


def test_frames_tell_the_error_of_a_window(fitted):
    X = spectrograms(3, seed=2)
    frames = fitted.score_frames(X)
    assert frames.shape == (3, 38)
    np.testing.assert_allclose(frames[1, 7], fitted.score_samples(X[1:2, :, 7:10])[0], rtol=1e-6)
    if fitted.error == "mahalanobis":
        np.testing.assert_allclose(frames.mean(axis=1), fitted.score_samples(X), rtol=1e-6)


def test_a_clip_scores_the_same_alone_in_a_list_and_lazily(fitted):
    X = spectrograms(5, seed=3)
    scores = fitted.score_samples(X)
    np.testing.assert_array_equal(fitted.score_samples(X[2:3]), scores[2:3])
    np.testing.assert_array_equal(fitted.score_samples([X[1], X[0][:, :20]])[0], scores[1])
    np.testing.assert_array_equal(fitted.score_samples(LazySequence(X)), scores)
    X[4] = np.nan
    assert np.isnan(fitted.score_samples(X)).tolist() == [False] * 4 + [True]


def test_domains_follow_the_clips_that_are_left_out_of_the_training():
    X = spectrograms()
    with_others = np.concatenate([X[:4], np.full((1, 4, 40), np.nan), 5 * X[:2], X[4:]]).astype(np.float32)
    y = np.r_[np.ones(5), -1, -1, np.ones(10)]
    domains = np.r_[DOMAINS[:4], ["gone"], ["odd"] * 2, DOMAINS[4:]]
    with pytest.warns(UserWarning, match="trained without"):
        model = detector().fit(with_others, y, domains=domains)
    plain = detector().fit(X, domains=DOMAINS)
    assert model.domains_.tolist() == ["source", "target"]
    np.testing.assert_array_equal(model.score_samples(X), plain.score_samples(X))


def test_a_singular_covariance_is_replaced_by_the_ledoit_wolf_covariance_with_a_warning():
    X = spectrograms(n_frames=6)  # 4 windows a clip, fewer than 12 values a window in the target domain
    domains = ["source"] * 12 + ["target"] * 2
    with pytest.warns(
        UserWarning, match=r"of domain 'target' have no invertible covariance, so the Ledoit-Wolf"
    ):
        model = detector().fit(X, domains=domains)
    train = np.setdiff1d(np.arange(14), model.held_out_indices_)
    parts = [
        np.concatenate([residuals(model, X[i]) for i in train if domains[i] == d])
        for d in ("source", "target")
    ]
    inverses = [np.linalg.inv(np.cov(parts[0].T)), np.linalg.inv(ledoit_wolf(parts[1])[0])]
    new = spectrograms(3, 6, seed=4)
    expected = [
        np.mean([min(r @ inverse @ r for inverse in inverses) for r in residuals(model, clip)]) / 12
        for clip in new
    ]
    np.testing.assert_allclose(model.score_samples(new), -np.array(expected), rtol=1e-6)


def test_a_domain_of_one_row_takes_the_covariance_of_all_domains():
    X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    domains = np.r_[np.zeros(59), 1]
    model = detector(validation_fraction=0, error="mahalanobis")
    with pytest.warns(UserWarning, match=r"of domain 1.0 .* the covariance of all domains together"):
        model.fit(X, domains=domains)
    rows = X - model.reconstruct(X)
    inverses = [np.linalg.inv(np.cov(rows[:59].T)), np.linalg.inv(np.cov(rows.T))]
    expected = np.min([np.einsum("ij,jk,ik->i", rows, inverse, rows) for inverse in inverses], axis=0) / 5
    np.testing.assert_allclose(model.score_samples(X), -expected, rtol=1e-6)


def test_copies_of_one_clip_are_scored_by_the_plain_error_with_a_warning():
    X = np.ones((20, 5), dtype=np.float32)
    with pytest.warns(UserWarning, match="the plain squared error is used"):
        model = detector(batch_norm=False).fit(X)
    np.testing.assert_allclose(
        model.score_samples(2 * X), -np.mean((2 * X - model.reconstruct(2 * X)) ** 2, axis=1), rtol=1e-5
    )


def test_a_domain_that_is_held_out_as_a_whole_is_told():
    groups = np.arange(14) // 2
    held_out = detector().fit(spectrograms(), groups=groups).held_out_indices_
    domains = np.isin(np.arange(14), held_out)
    with pytest.warns(UserWarning, match="all clips of domain .*True.* are held out of the training"):
        model = detector().fit(spectrograms(), groups=groups, domains=domains)
    assert model.domains_.tolist() == [False]


@pytest.mark.parametrize(
    ("settings", "domains", "message"),
    [
        ({"error": "mae"}, None, "error must be one of 'mse', 'mahalanobis', 'mahalanobis-clip', got 'mae'"),
        (
            {"error": "mahalanobis-clip", "time_pooling": "max"},
            None,
            "time_pooling must be \"mean\", got 'max'",
        ),
        ({}, DOMAINS[:3], "domains must have one entry a clip: got 3 for 14 clips"),
        (
            {"error": "mse"},
            [None, *DOMAINS[1:]],
            "domains must name a domain for every clip, got None for clip 0",
        ),
    ],
)
def test_bad_settings_and_domains_are_refused(settings, domains, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        detector(**settings).fit(spectrograms(), domains=domains)


def test_the_mean_squared_error_makes_no_use_of_domains():
    X = spectrograms()
    np.testing.assert_array_equal(
        detector("mse").fit(X, domains=DOMAINS).score_samples(X), detector("mse").fit(X).score_samples(X)
    )


def test_domains_reach_the_detector_through_a_calibrated_threshold():
    X = spectrograms()
    model = ThresholdedDetector(detector(), cv=2, ensemble=False, random_state=0).fit(X, domains=DOMAINS)
    np.testing.assert_array_equal(model.score_samples(X), detector().fit(X, domains=DOMAINS).score_samples(X))
    with sklearn.config_context(enable_metadata_routing=True):
        asks = detector().set_fit_request(domains=True)
        model = ThresholdedDetector(asks, cv=2, ensemble=False, random_state=0).fit(X, domains=DOMAINS)
        assert model.detector_.domains_.tolist() == ["source", "target"]


@pytest.mark.parametrize("form", FORMS)
def test_huge_values_get_a_finite_score(form):
    X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    model = detector(form).fit(X)
    scores = model.score_samples(np.r_[X[:1], np.full((1, 5), 3e38, dtype=np.float32)])
    assert np.isfinite(scores).all()
    assert scores[1] < scores[0]
    np.testing.assert_array_equal(model.score_samples(X)[:1], model.score_samples(X[:1]))
